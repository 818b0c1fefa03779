"""Webhooks become labels: whatever their order, however often they come."""

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling.answer.forget import forget_failed
from labeling.answer.record import Outcome, record_waiting
from storage.clock import now
from storage.labels.inbox import InboxState
from storage.labels.projects import Project
from storage.records import LabelTask, TaskState
from tests.fixtures_labeling import NOON, LabelStore, a_choice
from tests.schemes import LABELS

SERVER, PROJECT = "http://ls", 1
HERE = Project(SERVER, PROJECT, epoch="e1")
POSITIVE, NEUTRAL, NEGATIVE = LABELS


numbers = count(101)
"""Task ids, each given once: an example of hypothesis must not meet the tombstones of the one before."""


class Hooks:
    """Posts what Label Studio would post about one project."""

    def __init__(self, store: LabelStore) -> None:
        self.store = store

    def sent(self) -> LabelTask:
        """A text that annotators have."""
        (task,) = self.store.reserve(1).tasks
        self.store.tasks.mark_sent(HERE, {task.text_id: next(numbers)})
        return self.task(task.text_id)

    def task(self, text_id: str) -> LabelTask:
        task = self.store.tasks.get(text_id)
        assert task is not None
        return task

    def put(self, action: str, project: int = PROJECT, description: str = "", **payload: Any) -> None:
        about = {"id": project, "description": description}
        self.store.inbox.put(action, {"action": action, "project": about, **payload})

    def answer(
        self, task: LabelTask, label: str | None, second: int = 0, task_id: int | None = None, **at: Any
    ) -> None:
        """An annotation with the id of its task plus 1000, as of a second after noon."""
        identity = task_id or task.task_id or 0
        answer = {
            "id": identity + 1000,
            "task": identity,
            "result": [] if label is None else [a_choice(label)],
            "was_cancelled": label is None,
            "completed_by": 1,
            "updated_at": (NOON + timedelta(seconds=second)).isoformat(),
        }
        data = {"text_id": task.text_id, "text": task.text}
        self.put("ANNOTATION_UPDATED", annotation=answer, task={"id": identity, "data": data}, **at)

    def delete(self, task: LabelTask, **at: Any) -> None:
        self.put("ANNOTATIONS_DELETED", annotations=[{"id": (task.task_id or 0) + 1000}], **at)

    def record(self) -> Outcome:
        store = self.store
        return record_waiting(store.inbox, store.tasks, store.labels, store.scheme, HERE)

    def label(self, task: LabelTask) -> str | None:
        found = self.store.labels.get(task.text_id)
        return found.label if found else None


@pytest.fixture
def hooks(label_store: LabelStore) -> Hooks:
    return Hooks(label_store)


def test_an_answer_becomes_the_label_of_its_text(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, NEGATIVE)
    assert hooks.record() == Outcome(done=1, labels_changed=1)
    assert hooks.label(task) == NEGATIVE
    assert hooks.store.inbox.counts() == {"done": 1}


def test_a_skip_is_no_label_and_the_task_is_skipped(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, None)
    hooks.record()
    assert hooks.label(task) is None
    assert hooks.task(task.text_id).state is TaskState.SKIPPED


def test_a_redelivered_webhook_changes_nothing(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, NEGATIVE)
    hooks.record()
    before = hooks.store.labels.get(task.text_id)
    hooks.answer(task, NEGATIVE)
    assert hooks.record() == Outcome(done=1)
    assert hooks.store.labels.get(task.text_id) == before
    assert len(hooks.store.labels.revisions(task.text_id)) == 1


def test_an_older_answer_that_comes_later_changes_nothing(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, POSITIVE, second=2)
    hooks.answer(task, NEGATIVE, second=1)
    hooks.record()
    assert hooks.label(task) == POSITIVE


def test_a_deletion_that_overtakes_its_creation_stands(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.delete(task)
    hooks.answer(task, POSITIVE)
    hooks.record()
    assert hooks.label(task) is None
    assert hooks.task(task.text_id).state is TaskState.SENT


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_order_and_repetition_of_the_same_webhooks_gives_the_same_label(
    label_store: LabelStore, data: st.DataObject
) -> None:
    hooks = Hooks(label_store)
    task = hooks.sent()
    labels = data.draw(st.lists(st.sampled_from([*LABELS, None]), min_size=1, max_size=3))
    deleted = data.draw(st.booleans())
    script = [*range(len(labels)), *([-1] if deleted else [])]
    for step in data.draw(st.permutations(script + data.draw(st.lists(st.sampled_from(script), max_size=3)))):
        if step == -1:
            hooks.delete(task)
        else:
            hooks.answer(task, labels[step], second=step)
    hooks.record()
    assert hooks.label(task) == (None if deleted else labels[-1])


def test_another_projects_webhook_is_ignored(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, POSITIVE, project=2)
    assert hooks.record() == Outcome(ignored=1)
    assert hooks.label(task) is None


def test_a_task_that_is_not_ours_is_ignored(hooks: Hooks) -> None:
    (task,) = hooks.store.ingest(1)
    hooks.put(
        "ANNOTATION_CREATED",
        annotation={"id": 1, "task": 9, "result": [a_choice("positive")], "updated_at": NOON.isoformat()},
        task={"id": 9, "data": {"text_id": task.text_id, "text": task.text}},
    )
    assert hooks.record() == Outcome(ignored=1)


def test_an_impossible_answer_is_kept_as_failed_and_stops_nobody(hooks: Hooks) -> None:
    bad, good = hooks.sent(), hooks.sent()
    hooks.answer(bad, "sideways")
    hooks.answer(good, POSITIVE)
    assert hooks.record() == Outcome(done=1, failed=1, labels_changed=1)
    assert hooks.store.inbox.counts() == {"done": 1, "failed": 1}


def test_an_answer_that_comes_before_its_task_was_noted_as_sent_is_not_lost(hooks: Hooks) -> None:
    (task,) = hooks.store.reserve(1).tasks
    hooks.answer(task, POSITIVE, task_id=555)
    assert hooks.record() == Outcome(done=1, labels_changed=1)
    assert hooks.label(task) == POSITIVE
    hooks.store.tasks.mark_sent(HERE, {task.text_id: 555})
    assert (hooks.task(task.text_id).state, hooks.task(task.text_id).task_id) == (TaskState.ANSWERED, 555)


def test_task_data_that_names_another_text_is_not_believed(hooks: Hooks) -> None:
    one, other = hooks.store.reserve(2).tasks
    lie = {"text_id": one.text_id, "text": other.text}
    answer = {"id": 1, "task": 9, "result": [a_choice("positive")], "updated_at": NOON.isoformat()}
    hooks.put("ANNOTATION_CREATED", annotation=answer, task={"id": 9, "data": lie})
    assert hooks.record() == Outcome(ignored=1)
    assert hooks.label(one) is hooks.label(other) is None


def test_an_answer_belongs_to_the_text_that_its_annotator_saw_whatever_the_number_was(hooks: Hooks) -> None:
    before, now = hooks.sent(), hooks.sent()
    hooks.answer(now, POSITIVE, task_id=before.task_id)
    hooks.record()
    assert (hooks.label(before), hooks.label(now)) == (None, POSITIVE)


def test_a_text_that_was_edited_in_label_studio_is_not_ours_any_more(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(replace(task, text=task.text.replace("moved", "fell")), NEGATIVE)
    assert hooks.record() == Outcome(ignored=1)
    assert hooks.label(task) is None


def test_a_webhook_without_the_tasks_data_is_left_to_the_reconciliation(hooks: Hooks) -> None:
    task = hooks.sent()
    answer = {"id": 7, "task": task.task_id, "result": [a_choice(POSITIVE)], "updated_at": NOON.isoformat()}
    hooks.put("ANNOTATION_CREATED", annotation=answer)
    assert hooks.record() == Outcome(ignored=1)


EARLIER = Project(SERVER, PROJECT, epoch="e0")
"""The project that had the same number before Label Studio was reset."""


def test_an_answer_that_waited_since_before_a_reset_is_filed_where_it_was_given(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, POSITIVE, description="[finloop:name:ab:e0]")
    store = hooks.store
    outcome = record_waiting(store.inbox, store.tasks, store.labels, store.scheme, HERE, [EARLIER])
    assert outcome == Outcome(done=1, labels_changed=1)
    assert [one.key.epoch for one in store.labels.current(task.text_id)] == ["e0"]


def test_a_deletion_after_a_reset_buries_no_answer_from_before(hooks: Hooks) -> None:
    old, new = hooks.sent(), hooks.sent()
    hooks.answer(old, POSITIVE, description="[finloop:name:ab:e0]")
    hooks.answer(new, NEGATIVE, task_id=old.task_id, description="[finloop:name:ab:e1]")
    hooks.delete(old, description="[finloop:name:ab:e1]")
    store = hooks.store
    record_waiting(store.inbox, store.tasks, store.labels, store.scheme, HERE, [EARLIER])
    assert (hooks.label(old), hooks.label(new)) == (POSITIVE, None)


@pytest.mark.parametrize("description", ["[finloop:name:ab:e7]", "[finloop:name:cd:e7] and more"])
def test_a_project_with_our_number_and_the_marker_of_another_is_not_ours(hooks: Hooks, description: str) -> None:
    task = hooks.sent()
    hooks.answer(task, POSITIVE, description=description)
    assert hooks.record() == Outcome(ignored=1)


def test_a_deleted_task_is_reported_and_its_label_stays(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, POSITIVE)
    hooks.put("TASKS_DELETED", tasks=[{"id": task.task_id}])
    hooks.record()
    assert hooks.label(task) == POSITIVE
    assert hooks.store.tasks.missing() == 1


def test_a_failed_webhook_is_forgotten_once_label_studio_was_read(hooks: Hooks) -> None:
    task, other = hooks.sent(), hooks.sent()
    hooks.answer(task, "sideways")
    hooks.answer(other, "upwards")
    hooks.put("ANNOTATION_CREATED", annotation={"id": "no number"}, task={})
    assert hooks.record().failed == 3
    inbox, still = hooks.store.inbox, (other.task_id or 0) + 1000
    assert forget_failed(inbox, before=now() - timedelta(hours=1), unusable=()) == 0, "they came after the reading"
    assert forget_failed(inbox, before=now(), unusable=[still]) == 2
    assert inbox.counts() == {"failed": 1, "ignored": 2}


def test_an_answer_that_becomes_unusable_leaves_no_label_and_an_open_task(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, NEGATIVE)
    hooks.record()
    hooks.answer(task, "sideways", second=1)
    assert hooks.record().failed == 1
    assert hooks.label(task) is None
    assert hooks.task(task.text_id).state is TaskState.SENT


def test_one_bad_answer_among_many_holds_up_none(hooks: Hooks) -> None:
    tasks = [hooks.sent() for _ in range(3)]
    answers, seen = [], []
    for task, label in zip(tasks, (POSITIVE, "sideways", NEGATIVE), strict=True):
        hooks.answer(task, label)
        (row,) = (one for one in hooks.store.inbox.waiting() if one.payload["annotation"]["task"] == task.task_id)
        hooks.store.inbox.close(row.id, InboxState.IGNORED)
        answers.append(row.payload["annotation"])
        seen.append(row.payload["task"])
    hooks.put("ANNOTATIONS_CREATED", annotation=answers, task=seen)
    hooks.record()
    assert [hooks.label(task) for task in tasks] == [POSITIVE, None, NEGATIVE]
