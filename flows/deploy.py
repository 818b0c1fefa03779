"""Puts a model version into the running service: loaded, checked, aliased, swapped.

A failed promotion is a failed run.
"""

from prefect import State, flow
from prefect.states import Completed

from flows import artifacts
from flows.prefect_api.events import deliver
from flows.steps.promote import Service, check_verdict, promote
from flows.steps.recover import DEPLOY_LEASE, RUN_LEASE
from flows.wiring.parts import open_parts


@flow(name="deploy", log_prints=True)
def deploy(version: str = "challenger", force: bool = False, event: str | None = None) -> State[None]:
    """Promote a version that the gate has promoted; with `force`, any version (as a rollback does)."""
    with open_parts() as parts, parts.leases.hold(DEPLOY_LEASE, RUN_LEASE, wait=2 * RUN_LEASE):
        service = Service(parts.settings.needed("serving_url"), parts.settings.needed("admin_token"))
        if not force:
            check_verdict(parts.registry, parts.outbox, version)
        promotion = promote(parts.registry, parts.outbox, service, version, forced=force)
        artifacts.show_promotion(promotion, service.url)
        deliver(parts.outbox, parts.settings.prefect_server)
    return Completed(message=f"version {promotion.version} is served")
