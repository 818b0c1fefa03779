"""Completes what a lost webhook, a lost event or a crash left undone. It runs on a schedule, and is always safe."""

from contextlib import closing

from prefect import flow

from flows import artifacts
from flows.prefect_api.connection import Connection
from flows.prefect_api.events import deliver
from flows.prefect_api.watch import Watch
from flows.steps import asking
from flows.steps.recover import Cancelled, Patience, restart_promotions, restart_training
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
            enough, prefect_url = parts.settings.retrain_after, parts.settings.needed("prefect_url")
            asking.announce(parts.labels, parts.datasets, parts.outbox, enough)
            outbox, leases, datasets = parts.outbox, parts.leases, parts.datasets
            with closing(Connection(prefect_url)) as server:
                ended, stopped = Watch(server).cancelled_at("deploy"), Watch(server).cancelled_at("retrain")
            new = parts.labels.trainable_since(datasets.watermark())
            cancelled = None if stopped is None else Cancelled(stopped, new, enough)
            restarted = restart_promotions(outbox, leases, patience, ended)
            restarted += restart_training(
                outbox, parts.problems, leases, datasets, lambda: parts.seed, patience, cancelled
            )
            deliver(parts.outbox, prefect_url)
        artifacts.show_sync(found, restarted)
