"""Processes the webhooks that wait in the inbox."""

from labeling.answer.record import Outcome, record_waiting
from storage.labels.annotations import Labels
from storage.labels.inbox import Inbox
from storage.labels.projects import Projects
from storage.labels.tasks import Tasks
from storage.scheme import Scheme


def work_on_inbox(
    inbox: Inbox, projects: Projects, tasks: Tasks, labels: Labels, scheme: Scheme, server: str
) -> Outcome | None:
    """Turn the waiting webhooks into labels; `server` is Label Studio's address.

    Returns None, and lets the webhooks wait, while our project there is unknown.
    """
    project = projects.get(server)
    return None if project is None else record_waiting(inbox, tasks, labels, scheme, project, projects.before(server))
