"""Starts interrupted work again: promotions that are still open, and retrains that ended without a verdict.

Work that a person cancelled stays cancelled, until a person or new labels ask for it again.

Each attempt is an intent with a number, so that two syncs at once start one run. After the last attempt the promotion
is given up, or the retrain becomes a problem; `finloop status` shows both. A retrain that ended for unusable inputs is
a problem at once, and starts again when the inputs change.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
"""The kind of a problem: every attempt at a training ended without a verdict, or a person cancelled it."""

CANCELLED = ":cancelled:"
"""Stands between subject and time in the key of a cancelled training."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The age in seconds at which unfinished work is started again, and the number of attempts."""

    seconds: int
    attempts: int

    def is_over(self, since: datetime) -> bool:
        """Whether that moment is long enough ago."""
        return now() - since > timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """When a person cancelled the newest retrain, how many labels no dataset has read, and how many start a retrain."""

    at: datetime
    labels: int
    enough: int


def restart_promotions(
    outbox: Outbox, leases: Leases, patience: Patience, cancelled_at: datetime | None = None
) -> list[str]:
    """Intend the next deploy run of each interrupted promotion. Returns a phrase for each of them.

    `cancelled_at` is when a person cancelled the newest deploy run: its promotion is given up.
    """
    if leases.held(DEPLOY_LEASE):
        return []
    if cancelled_at is not None:
        for entry in outbox.open(Promote.kind):
            if entry.created_at <= cancelled_at:
                version = entry.payload["version"]
                outbox.give_up(entry, f"its deploy run was cancelled; `finloop deploy {version}` starts it again")
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
    cancelled: Cancelled | None = None,
    inputs: str = "",
) -> list[str]:
    """Intend the next retrain for an unjudged dataset, or for labels whose retrain built no dataset.

    Returns a phrase for the retrain, if any. While a retrain holds the lease, `read_seed` is not even called. A
    cancelled retrain is shown as a problem in place of being started again. A training that ended for its inputs (see
    `unusable_noted`) is not started again while `inputs` are the same.
    """
    _end_cancelled(problems, cancelled)
    watermark = datasets.watermark()
    if leases.held(RETRAIN_LEASE) or _in_vain(problems, inputs, watermark):
        return []
    unjudged = _unjudged(datasets, read_seed)
    sent = outbox.get(Retrain(watermark, 0).key)
    if unjudged is not None:
        what, since = f"training of dataset {unjudged[:12]}", datasets.load(unjudged).created_at
    elif sent is not None and sent.closed_at is not None:
        what, since = f"retrain with the labels since change {watermark}", sent.closed_at
    else:
        return []
    subject = Resume(unjudged, watermark, 1).subject
    if cancelled is not None and cancelled.at >= since and _stays(problems, cancelled, subject, what, watermark):
        return []
    return [what] if _resumed(outbox, problems, Resume(unjudged, watermark, 1), what, since, patience) else []


def _resumed(outbox: Outbox, problems: Problems, first: Resume, what: str, since: datetime, patience: Patience) -> bool:
    """Intend the next attempt, if it is time for one. After the last attempt the retrain becomes a problem."""
    for attempt in range(1, patience.attempts + 1):
        if not patience.is_over(since):
            return False
        resume = replace(first, attempt=attempt)
        if outbox.intend(resume):
            return True
        earlier = outbox.get(resume.key)
        since = earlier.created_at if earlier is not None else since
    if patience.is_over(since):
        reason = f"{what}: {patience.attempts} runs ended without a verdict"
        problems.note(_unfinished(first.subject), UNFINISHED, reason, watermark=first.watermark)
    return False


def _in_vain(problems: Problems, inputs: str, watermark: int) -> bool:
    """Whether a training with these inputs and labels was refused before."""
    refused = {"inputs": inputs, "watermark": watermark}
    return any(problem.detail == refused for problem in problems.open(UNUSABLE))


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
        if problem.detail["watermark"] <= watermark and problem.key.partition(CANCELLED)[0] != since:
            problems.end(problem.key)


def _stays(problems: Problems, cancelled: Cancelled, subject: str, what: str, watermark: int) -> bool:
    """Note that a retrain was cancelled. False: enough new labels came since, which no dataset has read."""
    key = _cancelled(subject, cancelled)
    problems.note(
        key,
        UNFINISHED,
        f"{what} was cancelled; `finloop retrain` or new labels start it again",
        watermark=watermark,
        labels=cancelled.labels,
    )
    noted = next((one for one in problems.open(UNFINISHED) if one.key == key), None)
    return noted is None or cancelled.labels < noted.detail["labels"] + cancelled.enough


def _end_cancelled(problems: Problems, cancelled: Cancelled | None) -> None:
    """End the problems of cancelled retrains after which another retrain has begun."""
    for problem in problems.open(UNFINISHED):
        subject, was_cancelled, _ = problem.key.removeprefix(f"{UNFINISHED}:").partition(CANCELLED)
        if was_cancelled and (cancelled is None or problem.key != _cancelled(subject, cancelled)):
            problems.end(problem.key)


def _cancelled(subject: str, cancelled: Cancelled) -> str:
    return f"{_unfinished(subject)}{CANCELLED}{cancelled.at:%Y%m%dT%H%M%S}"


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
