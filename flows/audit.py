"""Asks annotators about a random part of the audit share, without the model's answer.

It is how production accuracy is known.
"""

from prefect import State, flow
from prefect.states import Completed

from flows import artifacts, labelwork, wiring
from flows.policies import AuditPolicy
from storage.records import Purpose


@flow(name="audit", log_prints=True)
def audit(policy: AuditPolicy = AuditPolicy()) -> State[None]:  # noqa: B008 (a frozen default is what the form shows)
    """Send a random part of the audit share to annotators."""
    with wiring.parts() as parts:
        project = labelwork.our_project(parts)
        labelwork.recover(parts, project)
        sent = labelwork.send(parts, project, labelwork.reserve_audit(parts, policy))
        artifacts.sent(Purpose.AUDIT, sent, project.url)
    return Completed(message=f"{len(sent)} texts sent to {project.url}")
