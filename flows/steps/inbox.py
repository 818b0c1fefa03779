"""Works on the webhooks that wait in the inbox."""

from labeling.answer.record import Outcome, record_waiting
from storage.labels.annotations import Labels
from storage.labels.inbox import Inbox
from storage.labels.projects import Projects
from storage.labels.tasks import Tasks
from storage.scheme import Scheme


def work_on_inbox(
    inbox: Inbox, projects: Projects, tasks: Tasks, labels: Labels, scheme: Scheme, server: str
) -> Outcome | None:
    """Turn the webhooks that wait into labels; `server` is Label Studio's address.

    None while our project there is unknown, and everything waits: the project's id is stored before its webhook is
    made.
    """
    project = projects.get(server)
    return None if project is None else record_waiting(inbox, tasks, labels, scheme, project)
