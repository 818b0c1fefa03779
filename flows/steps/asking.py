"""Asks annotators: finds our Label Studio project, sends texts, reads what webhooks missed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flows.steps.arrays import Reader
from flows.steps.base_reader import CHANCE, FIRST, TYPICAL, BaseReader
from flows.steps.choice import Wish, reserve
from flows.steps.score import NO_CHAMPION
from labeling.answer.forget import forget_failed
from labeling.answer.reconcile import Reconciled, reconcile
from labeling.ask.again import reserve_lost
from labeling.ask.batch import Batch, choose_audit
from labeling.ask.pool import Strategy
from labeling.ask.send import recover_batches, send_batch
from labeling.ask.withdraw import withdraw_marked
from labeling.studio.client import Studio
from labeling.studio.marker import Owner
from labeling.studio.project import WEBHOOK_PATH, ensure_project
from storage.clock import now
from storage.labels.annotations import Labels
from storage.labels.inbox import Inbox
from storage.labels.projects import Project, Projects
from storage.labels.tasks import Tasks
from storage.models.registry import ModelVersion
from storage.records import LabelTask, Purpose
from storage.scheme import Scheme
from storage.texts.store import TextStore
from storage.work.leases import Leases

ASKING_LEASE = "asking"
"""One run at a time counts the open tasks and adds to them."""

NOTHING_LEFT = "no text sent: every text that may be asked about was sent before, or is a near copy of a text that was"
FIRST_MODEL = "`finloop retrain` makes the first model"
NO_DOUBTS = f"{NO_CHAMPION}; `finloop select --strategy typical` asks about typical texts before that"
NOTHING_YET = f"there are no texts and no champion yet: `finloop ingest` stores texts, and {FIRST_MODEL}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What our project must have: the receiver that its webhook calls, the secret, its owner, and the labels."""

    receiver_url: str
    webhook_secret: str
    owner: Owner
    scheme: Scheme


def our_project(studio: Studio, projects: Projects, leases: Leases, tasks: Tasks, wanted: Wanted) -> Project:
    """Find, repair or make our project and its webhook. Tasks of an earlier project there are marked as missing."""
    webhook = wanted.receiver_url + WEBHOOK_PATH
    ours = ensure_project(studio, projects, leases, wanted.scheme, webhook, wanted.webhook_secret, wanted.owner)
    tasks.mark_left_behind(ours)
    return ours


@dataclass(frozen=True, slots=True)
class Asked:
    """The tasks that a run sent, and how many of the purpose were open before.

    `left_out` maps a reason to the number of texts that were left out for that reason.
    """

    sent: list[LabelTask]
    open_before: int
    left_out: Mapping[str, int] = field(default_factory=dict)

    def said(self, url: str) -> str:
        """What the run's message says."""
        before = f"; {self.open_before} are still open" if self.open_before else ""
        return f"{len(self.sent)} texts sent to {url}{before}"

    @property
    def strategy(self) -> str:
        """The strategy that chose the sent texts, beside the part that was drawn at random."""
        names = {str(one.reason["strategy"]) for one in self.sent if one.reason}
        return next(iter(names - {CHANCE.name}), CHANCE.name)


def due(size: int, champion: ModelVersion | None) -> tuple[int, str]:
    """How many texts shall wait for an answer, and what to say: half of them where labels no longer change the model.

    Without a champion's comparison all of them are due.
    """
    stable = champion.evidence.stability if champion else None
    if stable is None or not stable.stable:
        return size, ""
    return max(1, size // 2), f"; half of {size:,} were due: {stable.sentence}"


def ask_to_learn(
    studio: Studio,
    where: Project,
    texts: TextStore,
    tasks: Tasks,
    scheme: Scheme,
    reader: Reader | BaseReader,
    wish: Wish,
) -> Asked:
    """Fill the open tasks of select up to the wished size with what the strategy chooses of what the reader reads.

    Lost tasks and batches of killed senders come first. The caller holds ASKING_LEASE, or two runs exceed the size.
    """
    _send_rest(studio, where, tasks, scheme)
    before = tasks.unanswered(where.server, where.id, Purpose.SELECT)
    if before >= wish.size:
        return Asked([], before)
    batch = reserve(texts, tasks, scheme, reader, wish, wish.size - before)
    return Asked(_send(studio, where, tasks, scheme, batch), before, batch.left_out)


def ask_audit(
    studio: Studio, where: Project, texts: TextStore, tasks: Tasks, scheme: Scheme, size: int, seed: int
) -> Asked:
    """Fill the open tasks of the audit up to `size` with random texts of the audit share, as `ask_to_learn` does."""
    _send_rest(studio, where, tasks, scheme)
    before = tasks.unanswered(where.server, where.id, Purpose.AUDIT)
    batch = choose_audit(texts, tasks, max(0, size - before), seed)
    return Asked(_send(studio, where, tasks, scheme, batch), before)


def too_early(texts: TextStore, strategy: Strategy) -> str:
    """The reason why this strategy cannot choose before there is a champion; empty where it can."""
    if strategy.name not in FIRST:
        return NO_DOUBTS
    return "" if texts.counts().texts else NOTHING_YET


def why_nothing(texts: TextStore, champion: str) -> str:
    """The reason why a select found no text to send. Texts of the audit share are never asked about here."""
    if next(iter(texts.lowest_margin(champion)), None) is None:
        return f"no text sent: version {champion} has scored none outside the audit share; run `finloop score` first"
    return NOTHING_LEFT


def said_first(asked: Asked, url: str) -> str:
    """What a select without a champion says: how the texts were chosen, and how the first model is made."""
    yet = "there is no champion yet"
    if not asked.sent:
        return f"{asked.said(url) if asked.open_before else NOTHING_LEFT}; {yet}: {FIRST_MODEL}"
    how = "by how typical they are" if asked.strategy == TYPICAL.name else "at random"
    return f"{asked.said(url)}; {yet}, so they were chosen {how}: {FIRST_MODEL}"


def catch_up(studio: Studio, where: Project, tasks: Tasks, labels: Labels, inbox: Inbox, scheme: Scheme) -> Reconciled:
    """Read from Label Studio what the webhooks missed, then send what a killed sender left and what was lost."""
    begun = now()
    found = reconcile(studio, where, tasks, labels, scheme)
    if not found.project_gone:
        forget_failed(inbox, begun, found.unusable_annotations)
        _send_rest(studio, where, tasks, scheme)
    return found


def _send_rest(studio: Studio, where: Project, tasks: Tasks, scheme: Scheme) -> None:
    """Send again what left Label Studio unanswered, and what a killed sender did not send; complete withdrawals."""
    withdraw_marked(studio, where, tasks)
    reserve_lost(studio, where, tasks)
    recover_batches(studio, where, tasks, scheme)


def _send(studio: Studio, where: Project, tasks: Tasks, scheme: Scheme, batch: Batch) -> list[LabelTask]:
    return send_batch(studio, where, tasks, scheme, batch.batch_id, batch.owner)
