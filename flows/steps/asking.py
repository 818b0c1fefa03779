"""The labeling room with the parts filled in: what the audit, select and sync flows and the receiver have in common."""

from flows.wiring.parts import Parts
from flows.wiring.policies import AuditPolicy, SelectPolicy
from labeling.answer import enough, reconcile
from labeling.ask import batch
from labeling.ask.send import recover_batches, send_batch
from labeling.studio import project
from storage.labels.projects import Project
from storage.models.registry import ModelVersion
from storage.records import LabelTask


def our_project(parts: Parts) -> Project:
    """Our project and its webhook, made or healed; the tasks of one that was deleted there are marked as missing."""
    webhook = parts.settings.needed("receiver_url") + project.WEBHOOK_PATH
    secret = parts.settings.needed("webhook_secret")
    marker = project.marker_of(parts.settings.label_studio_project)
    ours = project.ensure_project(parts.studio, parts.projects, parts.leases, parts.scheme, webhook, secret, marker)
    parts.tasks.mark_left_behind(ours.server, ours.id)
    return ours


def recover(parts: Parts, where: Project) -> list[LabelTask]:
    """Finish the batches whose sender was killed."""
    return recover_batches(parts.studio, where, parts.tasks, parts.scheme)


def reserve_uncertain(parts: Parts, champion: ModelVersion, policy: SelectPolicy) -> batch.Batch:
    """Reserve the texts of lowest margin by the champion's scores."""
    return batch.choose(parts.texts, parts.tasks, champion.version, policy.size)


def reserve_audit(parts: Parts, policy: AuditPolicy) -> batch.Batch:
    """Reserve a random part of the audit share."""
    return batch.choose_audit(parts.texts, parts.tasks, policy.size, policy.seed)


def why_nothing(parts: Parts, champion: ModelVersion) -> str:
    """Why a select may have found no text to send."""
    if not parts.texts.counts().predicted.get(champion.version):
        return f"no text sent: version {champion.version} has scored none yet; run `finloop score` first"
    return "no text sent: every text that may be asked about was sent before"


def send(parts: Parts, where: Project, reserved: batch.Batch) -> list[LabelTask]:
    """Put a reserved batch before annotators."""
    return send_batch(parts.studio, where, parts.tasks, parts.scheme, reserved.batch_id, reserved.owner)


def reconciled(parts: Parts, where: Project) -> reconcile.Reconciled:
    """Find what the webhooks missed."""
    return reconcile.reconcile(parts.studio, where, parts.tasks, parts.labels, parts.scheme)


def announce(parts: Parts) -> bool:
    """Intend the event that starts a retrain, if there are enough labels since the last dataset."""
    return enough.announce(parts.labels, parts.datasets.watermark(), parts.settings.retrain_after, parts.outbox)


def text_ids_in_studio(parts: Parts) -> list[str]:
    """The text id of every task that Label Studio holds for us: one that comes twice was sent twice."""
    where = our_project(parts)
    return [str(task["data"]["text_id"]) for task in parts.studio.tasks(where.id, "id,data")]
