"""Prepares a Prefect server for prefect.yaml: the work pools, and the automations that end lost runs.

It uses Prefect's own client, because the process that deploys imports Prefect anyway.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectAlreadyExists

ENDS = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
AWAY = {f"prefect.flow-run.{state}" for state in ("Scheduled", "AwaitingRetry", "Paused", "Suspended")}
"""The events of a run that has no process any more, or none for now."""

HEARTBEAT = "prefect.flow-run.heartbeat"
RUNNING = "prefect.flow-run.Running"
PENDING = "prefect.flow-run.Pending"


@dataclass(frozen=True, slots=True)
class Watch:
    """An automation: after one of the events `after`, a run that has none of `expect` within a time has crashed."""

    name: str
    after: frozenset[str]
    expect: frozenset[str]
    within: timedelta
    message: str

    def automation(self, flows: list[str]) -> AutomationCore:
        """The automation as Prefect has it, for the runs of these flows' deployments."""
        trigger = EventTrigger(
            posture=Posture.Proactive,
            after=set(self.after),
            expect=set(self.expect),
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=[
                ResourceSpecification({"prefect.resource.role": "flow", "prefect.resource.name": flows}),
                # A flow that somebody calls by hand sends no heartbeats.
                ResourceSpecification({"prefect.resource.id": "prefect.deployment.*"}),
            ],
            for_each={"prefect.resource.id"},
            threshold=1,
            within=self.within,
        )
        crash = ChangeFlowRunState(state=StateType.CRASHED, message=self.message)
        said = f"{self.message} The run has crashed after {self.within.total_seconds():.0f} s; its slot is given back."
        return AutomationCore(name=self.name, description=said, trigger=trigger, actions=[crash])


VANISHED = Watch(
    "finloop: a run whose process vanished has crashed",
    frozenset({HEARTBEAT, RUNNING}),
    frozenset({HEARTBEAT, *ENDS, *AWAY}),
    timedelta(seconds=90),
    "No heartbeat: its process was killed.",
)
NOT_BEGUN = Watch(
    "finloop: a run that does not begin has crashed",
    frozenset({PENDING}),
    frozenset({RUNNING, *ENDS, *AWAY}),
    timedelta(seconds=180),
    "It was handed to a worker, and never began: its process was killed.",
)
WATCHES = (VANISHED, NOT_BEGUN)


def make_pools(server: SyncPrefectClient, names: Iterable[str]) -> None:
    """Make the work pools that are not there yet."""
    for name in names:
        with suppress(ObjectAlreadyExists):
            server.create_work_pool(WorkPoolCreate(name=name, type="process"))


def watch_lost_runs(server: SyncPrefectClient, flows: list[str]) -> None:
    """Make, once, the automations by which the server ends runs of these flows whose process and worker were killed.

    Such a run would stay Pending or Running for ever, and keep its concurrency slot. An automation of an older finloop
    is replaced; one that somebody switched off stays off.
    """
    for watch in WATCHES:
        wanted = watch.automation(flows)
        found = server.read_automations_by_name(watch.name)
        if any(one.description == wanted.description for one in found):
            continue
        for one in found:
            wanted.enabled = wanted.enabled and one.enabled
            server.delete_automation(one.id)
        server.create_automation(wanted)
