"""Completes what a lost webhook, a lost event or a crash left undone. It runs on a schedule, and is always safe."""

from contextlib import closing

from prefect import State, flow
from prefect.states import Completed

from flows import artifacts
from flows.prefect_api.connection import Connection, RunFailed
from flows.prefect_api.events import deliver
from flows.prefect_api.watch import Watch
from flows.steps import asking
from flows.steps.new_labels import announce, count_new
from flows.steps.recover import Cancelled, Patience, restart_promotions, restart_training
from flows.wiring.inputs import training_inputs
from flows.wiring.parts import Parts, open_parts
from flows.wiring.policies import SyncPolicy
from storage.errors import Refused, Unreachable


@flow(name="sync", log_prints=True)
def sync(policy: SyncPolicy = SyncPolicy()) -> State[None]:  # noqa: B008 (a frozen default is what the form shows)
    """Reconcile labels with Label Studio, send reserved texts, and start interrupted promotions and retrains again."""
    with open_parts() as parts:
        try:
            project = asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)
            found = asking.catch_up(parts.studio, project, parts.tasks, parts.labels, parts.inbox, parts.scheme)
        finally:  # interrupted runs start again even while Label Studio is away
            enough = parts.settings.retrain_after
            announce(parts.labels, parts.texts, parts.datasets, parts.outbox, lambda: parts.seed, enough)
            restarted = _start_again(parts, Patience(policy.retry_after_seconds, policy.attempts))
            deliver(parts.outbox, parts.settings.prefect_server)
        artifacts.show_sync(found, restarted)
    missed = [
        f"{count} {name.replace('_', ' ')}" for name, count in found.counts().items() if count and name != "tasks"
    ]
    again = [f"started again: {', '.join(restarted)}"] if restarted else []
    return Completed(message="; ".join([*missed, *again]) or "nothing was missed")


def _start_again(parts: Parts, patience: Patience) -> list[str]:
    """Intend the next run of interrupted work. Nothing is intended while Prefect cannot say what a person cancelled."""
    try:
        with closing(Connection(parts.settings.prefect_server)) as server:
            deploy, retrain = (Watch(server).cancelled_at(name) for name in ("deploy", "retrain"))
    except (Unreachable, Refused, RunFailed):
        return []
    outbox, problems, leases, datasets = parts.outbox, parts.problems, parts.leases, parts.datasets
    cancelled = None
    if retrain is not None:
        new = count_new(parts.labels, parts.texts, datasets, lambda: parts.seed)
        cancelled = Cancelled(retrain, new.kept, parts.settings.retrain_after)
    restarted = restart_promotions(outbox, leases, patience, deploy)
    return restarted + restart_training(
        outbox, problems, leases, datasets, lambda: parts.seed, patience, cancelled, training_inputs(parts.settings)
    )
