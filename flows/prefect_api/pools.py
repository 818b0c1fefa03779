"""Prepares a Prefect server for prefect.yaml: the work pools, and the automation that ends lost runs.

It uses Prefect's own client, because the process that deploys imports Prefect anyway.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectAlreadyExists

LOST_AFTER = timedelta(seconds=90)
AUTOMATION = "finloop: a run whose process vanished has crashed"
HEARTBEAT = "prefect.flow-run.heartbeat"
ENDS = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}


def make_pools(server: SyncPrefectClient, names: Iterable[str]) -> None:
    """Make the work pools that are not there yet."""
    for name in names:
        with suppress(ObjectAlreadyExists):
            server.create_work_pool(WorkPoolCreate(name=name, type="process"))


def watch_lost_runs(server: SyncPrefectClient) -> None:
    """Make, once, the automation by which the server ends a run without heartbeats.

    A run that is killed together with its worker would stay Running for ever, and keep its concurrency slot.
    """
    if server.read_automations_by_name(AUTOMATION):
        return
    trigger = EventTrigger(
        posture=Posture.Proactive,
        after={HEARTBEAT},
        expect={HEARTBEAT, *ENDS},
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        for_each={"prefect.resource.id"},
        threshold=1,
        within=LOST_AFTER,
    )
    crash = ChangeFlowRunState(state=StateType.CRASHED, message="No heartbeat: its process was killed.")
    server.create_automation(
        AutomationCore(
            name=AUTOMATION,
            description="No heartbeat for 90 s means that worker and run were killed; the run's slot is given back.",
            trigger=trigger,
            actions=[crash],
        )
    )
