"""Makes good what a webhook, an event or a crash left undone; scheduled, and safe to run at any time."""

from prefect import flow

from flows import artifacts, events, labelwork, wiring
from flows.policies import SyncPolicy
from flows.recovery import restart_unfinished


@flow(name="sync", log_prints=True)
def sync(policy: SyncPolicy = SyncPolicy()) -> None:  # noqa: B008 (a frozen default is what the form shows)
    """Reconcile labels with Label Studio, send what was reserved and never sent, start again what was cut short."""
    with wiring.parts() as parts:
        try:
            project = labelwork.our_project(parts)
            labelwork.recover(parts, project)
            found = labelwork.reconciled(parts, project)
        finally:  # what was cut short does not wait for a Label Studio that is away
            labelwork.announce(parts)
            restarted = restart_unfinished(parts, policy)
            events.deliver(parts.outbox, parts.settings.needed("prefect_url"))
        artifacts.synced(found, restarted)
