"""Starts interrupted work again: promotions that are still open, and retrains that ended without a verdict.

Each attempt is an intent with a number, so that two syncs at once start one run. After the last attempt the promotion
is given up, or the retrain becomes a problem; `finloop status` shows both. A retrain that ended for unusable inputs is
a problem at once, and starts again when the inputs change.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from flows.intents import Deploy, Promote, Resume, Retrain, read
from storage.clock import now
from storage.datasets.versions import Datasets
from storage.errors import BadInput, FinloopError, Part, Refused
from storage.work.leases import Leases
from storage.work.outbox import Entry, Outbox
from storage.work.problems import Problems

if TYPE_CHECKING:
    from training.data.seed import SeedData

RETRAIN_LEASE = "retrain"
DEPLOY_LEASE = "deploy"
RUN_LEASE = timedelta(seconds=60)
"""How long a killed run blocks the next run. A living run renews its lease after each third of this time."""

UNUSABLE = "unusable"
"""The kind of a problem: a training that the given inputs cannot succeed in. Other inputs are tried, these are not."""

UNFINISHED = "unfinished"
"""The kind of a problem: every attempt at a training ended without a verdict."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The age in seconds at which unfinished work is started again, and the number of attempts."""

    seconds: int
    attempts: int

    def is_over(self, since: datetime) -> bool:
        """Whether that moment is long enough ago."""
        return now() - since > timedelta(seconds=self.seconds)


def restart_promotions(outbox: Outbox, leases: Leases, patience: Patience) -> list[str]:
    """Intend the next deploy run of each interrupted promotion. Returns a phrase for each of them."""
    if leases.held(DEPLOY_LEASE):
        return []
    return [
        f"promotion of version {promote.version}"
        for entry in outbox.open(Promote.kind)
        if patience.is_over(entry.created_at) and isinstance(promote := read(entry), Promote)
        if _deploy_again(outbox, entry, Deploy(promote.version, entry.attempts + 1), patience)
    ]


def restart_training(
    outbox: Outbox,
    problems: Problems,
    leases: Leases,
    datasets: Datasets,
    read_seed: Callable[[], "SeedData"],
    patience: Patience,
    inputs: str = "",
) -> list[str]:
    """Intend the next retrain for an unjudged dataset, or for labels whose retrain built no dataset.

    Returns a phrase for the retrain, if any. While a retrain holds the lease, `read_seed` is not even called. A
    training that ended for its inputs (see `unusable_noted`) is not started again while `inputs` are the same.
    """
    if leases.held(RETRAIN_LEASE):
        return []
    watermark = datasets.watermark()
    vain = {"inputs": inputs, "watermark": watermark}
    if any(problem.detail == vain for problem in problems.open(UNUSABLE)):
        return []
    unjudged = _unjudged(datasets, read_seed)
    sent = outbox.get(Retrain(watermark, 0).key)
    if unjudged is not None:
        what, since = f"training of dataset {unjudged[:12]}", datasets.load(unjudged).created_at
    elif sent is not None and sent.closed_at is not None:
        what, since = f"retrain with the labels since change {watermark}", sent.closed_at
    else:
        return []
    for attempt in range(1, patience.attempts + 1):
        if not patience.is_over(since):
            return []
        resume = Resume(unjudged, watermark, attempt)
        if outbox.intend(resume):
            return [what]
        earlier = outbox.get(resume.key)
        since = earlier.created_at if earlier is not None else since
    if patience.is_over(since):
        reason = f"{what}: {patience.attempts} runs ended without a verdict"
        problems.note(_unfinished(resume.subject), UNFINISHED, reason, watermark=watermark)
    return []


@contextmanager
def unusable_noted(problems: Problems, datasets: Datasets, inputs: str) -> Iterator[None]:
    """Note as a problem that a training ended for its inputs, so that no later run repeats the training in vain.

    Such an end is a BadInput, or a hub that refuses to give the base model or the seed data. `inputs` stands for all
    that the settings gave to the training. The problem ends at the next verdict.
    """
    try:
        yield
    except (BadInput, Refused) as error:
        if isinstance(error, Refused) and error.part not in (Part.BASE_MODEL, Part.SEED_DATA):
            raise
        end_unusable(problems)  # the newest one says it all
        moment, watermark = now(), datasets.watermark()
        problems.note(f"{UNUSABLE}:{moment:%Y%m%dT%H%M%S%f}", UNUSABLE, str(error), inputs=inputs, watermark=watermark)
        raise


def end_unusable(problems: Problems) -> None:
    """End the problems of trainings whose inputs were unusable: a training has succeeded since."""
    for problem in problems.open(UNUSABLE):
        problems.end(problem.key)


def end_unfinished(problems: Problems, watermark: int) -> None:
    """End the problems of retrains whose labels are in a judged dataset: the labels up to `watermark`.

    A problem of the labels after the watermark stays open, because the dataset does not contain them.
    """
    since = _unfinished(f"{watermark}")
    for problem in problems.open(UNFINISHED):
        if problem.detail["watermark"] <= watermark and problem.key != since:
            problems.end(problem.key)


def _deploy_again(outbox: Outbox, promotion: Entry, deploy: Deploy, patience: Patience) -> bool:
    if deploy.attempt > patience.attempts:
        outbox.give_up(promotion, promotion.last_error or "no deploy run finished")
        return False
    if outbox.intend(deploy):
        return True
    sent = outbox.get(deploy.key)
    if sent is not None and sent.closed_at is not None and patience.is_over(sent.closed_at):
        # The run of this attempt was killed: it neither promoted nor gave a reason. The next sync tries again.
        outbox.failed(promotion, "the deploy run ended without a word")
    return False


def _unjudged(datasets: Datasets, read_seed: Callable[[], "SeedData"]) -> str | None:
    """The unjudged dataset that a retrain would continue: one made from the current seed data.

    Where the seed data cannot be read here, any unjudged dataset counts: the retrain may run where they can be read.
    The merge policy is not compared, because only the retrain knows it.
    """
    try:
        seed = read_seed().parent(policy="")
    except (FinloopError, OSError):
        seed = None
    return datasets.unjudged(seed=seed)


def _unfinished(subject: str) -> str:
    return f"{UNFINISHED}:{subject}"
