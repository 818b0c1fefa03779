"""Starts again what a crash cut short: promotions left open, and datasets whose training never reached a verdict.

Each new start is an intent of its own, numbered, so that two syncs at once start one run. After the last attempt the
promotion is given up, or the training becomes a problem; `finloop status` shows both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from flows.intents import Deploy, Promote, Resume, Retrain, read
from storage.clock import now
from storage.datasets.versions import Datasets
from storage.errors import FinloopError
from storage.work.leases import Leases
from storage.work.outbox import Entry, Outbox
from storage.work.problems import Problems

if TYPE_CHECKING:
    from training.data.seed import SeedData

RETRAIN_LEASE = "retrain"
DEPLOY_LEASE = "deploy"
RUN_LEASE = timedelta(seconds=60)
"""How long a killed run blocks the next; a living one renews its lease every third of this."""

UNFINISHED = "unfinished"
"""The kind of a problem: every attempt at a training ended without a verdict."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How old something unfinished must be before it is started again, and how often it is."""

    seconds: int
    attempts: int

    def is_over(self, since: datetime) -> bool:
        """Whether that moment is long enough ago."""
        return now() - since > timedelta(seconds=self.seconds)


def restart_promotions(outbox: Outbox, leases: Leases, patience: Patience) -> list[str]:
    """Intend the next deploy of each version whose promotion was cut short; returns them in words."""
    if leases.held(DEPLOY_LEASE):
        return []
    return [
        f"promotion of version {promote.version}"
        for entry in outbox.open(Promote.kind)
        if patience.is_over(entry.created_at) and isinstance(promote := read(entry), Promote)
        if _deploy_again(outbox, entry, Deploy(promote.version, entry.attempts + 1), patience)
    ]


def _deploy_again(outbox: Outbox, promotion: Entry, deploy: Deploy, patience: Patience) -> bool:
    if deploy.attempt > patience.attempts:
        outbox.give_up(promotion, promotion.last_error or "no deploy run finished")
        return False
    if outbox.intend(deploy):
        return True
    sent = outbox.get(deploy.key)
    if sent is not None and sent.closed_at is not None and patience.is_over(sent.closed_at):
        # That attempt's run was started and neither promoted nor said why: it was killed. The next sync tries again.
        outbox.failed(promotion, "the deploy run ended without a word")
    return False


def restart_training(
    outbox: Outbox,
    problems: Problems,
    leases: Leases,
    datasets: Datasets,
    read_seed: Callable[[], "SeedData"],
    patience: Patience,
) -> list[str]:
    """Intend the next run for a dataset without a verdict, or for enough labels whose run built none; in words.

    Nothing is started while a run holds the lease, and the seed data are not even read then.
    """
    if leases.held(RETRAIN_LEASE):
        return []
    watermark, unjudged = datasets.watermark(), _unjudged(datasets, read_seed)
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


def _unjudged(datasets: Datasets, read_seed: Callable[[], "SeedData"]) -> str | None:
    """The dataset to go on with; one of other seed data is passed over, as the retrain would do.

    Seed data that cannot be read here may be readable where the retrain runs. The retrain then decides, as it does
    about the merge policy, which it alone knows.
    """
    try:
        seed = read_seed().parent(policy="")
    except (FinloopError, OSError):
        seed = None
    return datasets.unjudged(seed=seed)


def end_unfinished(problems: Problems, watermark: int) -> None:
    """A dataset with the labels up to that watermark was judged: trainings of these labels are no problem any more.

    Labels that came after the watermark are not in the dataset, so a problem with those goes on.
    """
    since = _unfinished(f"{watermark}")
    for problem in problems.open(UNFINISHED):
        if problem.detail["watermark"] <= watermark and problem.key != since:
            problems.end(problem.key)


def _unfinished(subject: str) -> str:
    return f"{UNFINISHED}:{subject}"
