"""Asks annotators: finds our Label Studio project, sends texts, reads what webhooks missed, announces new labels."""

from dataclasses import dataclass

from flows.intents import Retrain
from labeling.answer.enough import new_labels
from labeling.answer.reconcile import Reconciled, reconcile
from labeling.ask.batch import Batch, choose, choose_audit
from labeling.ask.send import recover_batches, send_batch
from labeling.studio.client import Studio
from labeling.studio.project import WEBHOOK_PATH, ensure_project, marker_of
from storage.datasets.versions import Datasets
from storage.labels.annotations import Labels
from storage.labels.projects import Project, Projects
from storage.labels.tasks import Tasks
from storage.records import LabelTask, Purpose
from storage.scheme import Scheme
from storage.texts.store import TextStore
from storage.work.leases import Leases
from storage.work.outbox import Outbox

ASKING_LEASE = "asking"
"""One run at a time counts the open tasks and adds to them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What our project must have: the receiver that its webhook calls, the webhook's secret, a name, and the labels."""

    receiver_url: str
    webhook_secret: str
    name: str
    scheme: Scheme


def our_project(studio: Studio, projects: Projects, leases: Leases, tasks: Tasks, wanted: Wanted) -> Project:
    """Find, repair or make our project and its webhook. Tasks of an earlier project there are marked as missing."""
    webhook, marker = wanted.receiver_url + WEBHOOK_PATH, marker_of(wanted.name)
    ours = ensure_project(studio, projects, leases, wanted.scheme, webhook, wanted.webhook_secret, marker)
    tasks.mark_left_behind(ours.server, ours.id)
    return ours


@dataclass(frozen=True, slots=True)
class Asked:
    """The tasks that a run sent, and how many of the purpose were open before."""

    sent: list[LabelTask]
    open_before: int

    def said(self, url: str) -> str:
        """What the run's message says."""
        before = f"; {self.open_before} are still open" if self.open_before else ""
        return f"{len(self.sent)} texts sent to {url}{before}"


def ask_uncertain(
    studio: Studio, where: Project, texts: TextStore, tasks: Tasks, scheme: Scheme, champion: str, size: int
) -> Asked:
    """Fill the open tasks of select up to `size` with the texts of lowest margin by the champion's scores.

    Batches whose sender was killed are sent first. The caller holds ASKING_LEASE, or two runs exceed the size.
    """
    from training.data.clusters import near_any

    recover_batches(studio, where, tasks, scheme)
    before = tasks.unanswered(where.server, where.id, Purpose.SELECT)
    batch = choose(texts, tasks, champion, max(0, size - before), near_any)
    return Asked(_send(studio, where, tasks, scheme, batch), before)


def ask_audit(
    studio: Studio, where: Project, texts: TextStore, tasks: Tasks, scheme: Scheme, size: int, seed: int
) -> Asked:
    """Fill the open tasks of the audit up to `size` with random texts of the audit share, as `ask_uncertain` does."""
    recover_batches(studio, where, tasks, scheme)
    before = tasks.unanswered(where.server, where.id, Purpose.AUDIT)
    batch = choose_audit(texts, tasks, max(0, size - before), seed)
    return Asked(_send(studio, where, tasks, scheme, batch), before)


def why_nothing(texts: TextStore, champion: str) -> str:
    """The reason why a select found no text to send."""
    if not texts.counts().predicted.get(champion):
        return f"no text sent: version {champion} has scored none yet; run `finloop score` first"
    return "no text sent: every text that may be asked about was sent before"


def catch_up(studio: Studio, where: Project, tasks: Tasks, labels: Labels, scheme: Scheme) -> Reconciled:
    """Finish the batches whose sender was killed, then read from Label Studio what the webhooks missed."""
    recover_batches(studio, where, tasks, scheme)
    return reconcile(studio, where, tasks, labels, scheme)


def announce(labels: Labels, datasets: Datasets, outbox: Outbox, threshold: int) -> bool:
    """Intend a retrain where `threshold` labels are new since the newest dataset. True: this call intended it.

    The receiver and sync both call this. The watermark is the intent's key, so that only one of them intends it.
    """
    watermark = datasets.watermark()
    new = new_labels(labels, watermark, threshold)
    return new.enough and outbox.intend(Retrain(watermark, new.count))


def _send(studio: Studio, where: Project, tasks: Tasks, scheme: Scheme, batch: Batch) -> list[LabelTask]:
    return send_batch(studio, where, tasks, scheme, batch.batch_id, batch.owner)
