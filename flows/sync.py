"""Completes what a lost webhook, a lost event or a crash left undone. It runs on a schedule, and is always safe."""

from prefect import flow

from flows import artifacts
from flows.prefect_api.events import deliver
from flows.steps import asking
from flows.steps.recover import Patience, restart_promotions, restart_training
from flows.wiring.parts import open_parts
from flows.wiring.policies import SyncPolicy


@flow(name="sync", log_prints=True)
def sync(policy: SyncPolicy = SyncPolicy()) -> None:  # noqa: B008 (a frozen default is what the form shows)
    """Reconcile labels with Label Studio, send reserved texts, and start interrupted promotions and retrains again."""
    patience = Patience(policy.retry_after_seconds, policy.attempts)
    with open_parts() as parts:
        try:
            project = asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)
            found = asking.catch_up(parts.studio, project, parts.tasks, parts.labels, parts.scheme)
        finally:  # interrupted runs start again even while Label Studio is away
            asking.announce(parts.labels, parts.datasets, parts.outbox, parts.settings.retrain_after)
            outbox, leases, datasets = parts.outbox, parts.leases, parts.datasets
            restarted = restart_promotions(outbox, leases, patience)
            restarted += restart_training(outbox, parts.problems, leases, datasets, lambda: parts.seed, patience)
            deliver(parts.outbox, parts.settings.needed("prefect_url"), parts.settings.prefect_auth)
        artifacts.show_sync(found, restarted)
