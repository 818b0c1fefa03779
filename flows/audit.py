"""Asks annotators about random texts of the audit share: their answers measure production accuracy.

Annotators do not see the predictions.
"""

from prefect import State, flow
from prefect.states import Completed

from flows import artifacts
from flows.steps import asking
from flows.steps.recover import RUN_LEASE
from flows.wiring.parts import open_parts
from flows.wiring.policies import AuditPolicy
from storage.records import Purpose


@flow(name="audit", log_prints=True)
def audit(policy: AuditPolicy = AuditPolicy()) -> State[None]:  # noqa: B008 (a frozen default is what the form shows)
    """Send random texts of the audit share to annotators."""
    with open_parts() as parts, parts.leases.hold(asking.ASKING_LEASE, RUN_LEASE, wait=5 * RUN_LEASE):
        project = asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)
        asked = asking.ask_audit(
            parts.studio, project, parts.texts, parts.tasks, parts.scheme, policy.size, policy.seed
        )
        artifacts.show_sent(Purpose.AUDIT, asked.sent, project.url)
    return Completed(message=asked.said(project.url))
