"""Deletes old webhooks and finished intents. The Prefect server that `finloop up` starts prunes its runs by itself."""

from datetime import timedelta

from prefect import State, flow
from prefect.states import Completed

from flows.steps import prune as step
from flows.wiring.parts import open_parts


@flow(name="prune", log_prints=True)
def prune() -> State[None]:
    """Delete processed webhooks, finished intents and ended problems that are older than FINLOOP_KEEP_DAYS."""
    with open_parts() as parts:
        keep = timedelta(days=parts.settings.keep_days)
        pruned = step.prune(parts.inbox, parts.outbox, parts.problems, parts.datasets, keep)
    return Completed(message=f"deleted: {pruned.said()}")
