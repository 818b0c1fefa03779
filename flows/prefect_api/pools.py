"""What has to be on the Prefect server before prefect.yaml is deployed: work pools, and the watch over lost runs.

Prefect's own client serves here: these calls are made in the process that deploys, which imports Prefect anyway.
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
    """Have the server end a run that gives no sign of life, once.

    A worker and its run that are killed together leave the run Running for ever, its concurrency slot taken.
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
