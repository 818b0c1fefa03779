"""Starts again what a crash cut short: promotions left open, and datasets whose training never reached a verdict.

Each new start is an event of its own, numbered, so that two syncs at once start one run; after the last attempt the
intent is closed with its error, which `finloop status` shows.
"""

from datetime import datetime, timedelta

from flows.prefect_events import CHALLENGER, RESUME
from flows.steps.decide import PROMOTE, UNFINISHED
from flows.wiring.parts import Parts
from flows.wiring.policies import SyncPolicy
from storage.clock import now
from storage.errors import FinloopError
from storage.work.outbox import Intent

RETRAIN_LEASE = "retrain"
DEPLOY_LEASE = "deploy"
RUN_LEASE = timedelta(seconds=60)
"""How long a killed run blocks the next; a living one renews it every third of this."""


def restart_unfinished(parts: Parts, policy: SyncPolicy) -> list[str]:
    """Intend a new event for everything that was cut short; returns what was started again, in words."""
    return [*_promotions(parts, policy), *_trainings(parts, policy)]


def _promotions(parts: Parts, policy: SyncPolicy) -> list[str]:
    if parts.leases.held(DEPLOY_LEASE):
        return []
    return [
        f"promotion of version {intent.payload['version']}"
        for intent in parts.outbox.open(PROMOTE)
        if _old(intent.created_at, policy) and _retry(parts, intent, policy)
    ]


def _retry(parts: Parts, intent: Intent, policy: SyncPolicy) -> bool:
    version, attempt = intent.payload["version"], intent.attempts + 1
    if attempt > policy.attempts:
        parts.outbox.give_up(intent.key, intent.last_error or "no deploy run finished")
        return False
    if parts.outbox.add(f"deploy:{version}:{attempt}", CHALLENGER, {"version": version}):
        return True
    sent = parts.outbox.get(f"deploy:{version}:{attempt}")
    if sent is not None and sent.closed_at is not None and _old(sent.closed_at, policy):
        # That attempt's run was started and neither promoted nor said why: it was killed. The next sync tries again.
        parts.outbox.failed(intent.key, "the deploy run ended without a word")
    return False


def _trainings(parts: Parts, policy: SyncPolicy) -> list[str]:
    """A dataset without a verdict, or enough labels whose event was sent, and no run that holds the lease."""
    if parts.leases.held(RETRAIN_LEASE):
        return []
    watermark = parts.datasets.watermark()
    unjudged, sent = _unjudged(parts), parts.outbox.get(f"retrain:{watermark}")
    if unjudged is not None:
        what, key, since = (
            f"training of dataset {unjudged[:12]}",
            unjudged[:16],
            parts.datasets.load(unjudged).created_at,
        )
    elif sent is not None and sent.closed_at is not None:
        what, key, since = f"retrain with the labels since change {watermark}", f"{watermark}", sent.closed_at
    else:
        return []
    for attempt in range(1, policy.attempts + 1):
        if not _old(since, policy):
            return []
        if parts.outbox.add(f"resume:{key}:{attempt}", RESUME, {"watermark": watermark}):
            return [what]
        earlier = parts.outbox.get(f"resume:{key}:{attempt}")
        since = earlier.created_at if earlier is not None else since
    if _old(since, policy) and parts.outbox.add(f"unfinished:{key}", UNFINISHED, {"watermark": watermark}):
        parts.outbox.give_up(f"unfinished:{key}", f"{what}: {policy.attempts} runs ended without a verdict")
    return []


def _unjudged(parts: Parts) -> str | None:
    """The dataset to go on with; one of another PhraseBank is passed over, as the retrain would do.

    The retrain alone knows its merge policy, and a PhraseBank that cannot be read here may well be where it runs: there
    it decides.
    """
    try:
        sha256 = parts.phrasebank.sha256
    except (FinloopError, OSError):
        sha256 = None
    return parts.datasets.unjudged(phrasebank_sha256=sha256, agreement=parts.settings.phrasebank_agreement)


def _old(moment: datetime, policy: SyncPolicy) -> bool:
    return now() - moment > timedelta(seconds=policy.retry_after_seconds)
