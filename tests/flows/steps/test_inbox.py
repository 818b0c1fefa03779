"""What waits in the inbox becomes labels, once our project is known."""

from flows.steps.inbox import work_on_inbox
from flows.wiring.parts import Parts
from labeling.answer.record import Outcome
from storage.labels.projects import Project

SERVER = "http://label.studio"


def work(parts: Parts) -> Outcome | None:
    return work_on_inbox(parts.inbox, parts.projects, parts.tasks, parts.labels, parts.scheme, SERVER)


def test_webhooks_wait_until_our_project_is_known(parts: Parts) -> None:
    parts.inbox.put("ANNOTATION_CREATED", {"action": "ANNOTATION_CREATED", "project": {"id": 2}})
    assert work(parts) is None
    assert parts.inbox.counts() == {"new": 1}
    parts.projects.put(Project(SERVER, 1, 1))
    assert work(parts) == Outcome(ignored=1)
    assert parts.inbox.counts() == {"ignored": 1}


def test_an_empty_inbox_is_no_reason_to_wait(parts: Parts) -> None:
    parts.projects.put(Project(SERVER, 1, 1))
    assert work(parts) == Outcome()
