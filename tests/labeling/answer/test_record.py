"""Webhooks become labels: whatever their order, however often they come."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling.answer.record import Settled, settle
from storage.records import LabelTask, TaskState
from tests.fixtures_labeling import NOON, LabelStore, a_choice
from tests.schemes import LABELS

SERVER, PROJECT = "http://ls", 1
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
        self.store.tasks.mark_sent(SERVER, PROJECT, {task.text_id: next(numbers)})
        return self.task(task.text_id)

    def task(self, text_id: str) -> LabelTask:
        task = self.store.tasks.get(text_id)
        assert task is not None
        return task

    def put(self, action: str, project: int = PROJECT, **payload: Any) -> None:
        self.store.inbox.put(action, {"action": action, "project": {"id": project}, **payload})

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

    def delete(self, task: LabelTask) -> None:
        self.put("ANNOTATIONS_DELETED", annotations=[{"id": (task.task_id or 0) + 1000}])

    def settle(self) -> Settled:
        store = self.store
        return settle(store.inbox, store.tasks, store.labels, SERVER, PROJECT)

    def label(self, task: LabelTask) -> str | None:
        found = self.store.labels.get(task.text_id)
        return found.label if found else None


@pytest.fixture
def hooks(label_store: LabelStore) -> Hooks:
    return Hooks(label_store)


def test_an_answer_becomes_the_label_of_its_text(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, NEGATIVE)
    assert hooks.settle() == Settled(done=1, labels_changed=1)
    assert hooks.label(task) == NEGATIVE
    assert hooks.store.inbox.counts() == {"done": 1}


def test_a_skip_is_no_label_and_the_task_is_skipped(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, None)
    hooks.settle()
    assert hooks.label(task) is None
    assert hooks.task(task.text_id).state is TaskState.SKIPPED


def test_a_redelivered_webhook_changes_nothing(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, NEGATIVE)
    hooks.settle()
    before = hooks.store.labels.get(task.text_id)
    hooks.answer(task, NEGATIVE)
    assert hooks.settle() == Settled(done=1)
    assert hooks.store.labels.get(task.text_id) == before
    assert len(hooks.store.labels.revisions(task.text_id)) == 1


def test_an_older_answer_that_comes_later_changes_nothing(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, POSITIVE, second=2)
    hooks.answer(task, NEGATIVE, second=1)
    hooks.settle()
    assert hooks.label(task) == POSITIVE


def test_a_deletion_that_overtakes_its_creation_stands(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.delete(task)
    hooks.answer(task, POSITIVE)
    hooks.settle()
    assert hooks.label(task) is None
    assert hooks.task(task.text_id).state is TaskState.SENT


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    hooks.settle()
    assert hooks.label(task) == (None if deleted else labels[-1])


def test_another_projects_webhook_is_ignored(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, POSITIVE, project=2)
    assert hooks.settle() == Settled(ignored=1)
    assert hooks.label(task) is None


def test_a_task_that_is_not_ours_is_ignored(hooks: Hooks) -> None:
    (task,) = hooks.store.ingest(1)
    hooks.put(
        "ANNOTATION_CREATED",
        annotation={"id": 1, "task": 9, "result": [a_choice("positive")], "updated_at": NOON.isoformat()},
        task={"id": 9, "data": {"text_id": task.text_id, "text": task.text}},
    )
    assert hooks.settle() == Settled(ignored=1)


def test_an_impossible_answer_is_kept_as_failed_and_stops_nobody(hooks: Hooks) -> None:
    bad, good = hooks.sent(), hooks.sent()
    hooks.answer(bad, "bullish")
    hooks.answer(good, POSITIVE)
    assert hooks.settle() == Settled(done=1, failed=1, labels_changed=1)
    assert hooks.store.inbox.counts() == {"done": 1, "failed": 1}


def test_an_answer_that_comes_before_its_task_was_noted_as_sent_is_not_lost(hooks: Hooks) -> None:
    (task,) = hooks.store.reserve(1).tasks
    hooks.answer(task, POSITIVE, task_id=555)
    assert hooks.settle() == Settled(done=1, labels_changed=1)
    assert hooks.label(task) == POSITIVE
    hooks.store.tasks.mark_sent(SERVER, PROJECT, {task.text_id: 555})
    assert (hooks.task(task.text_id).state, hooks.task(task.text_id).task_id) == (TaskState.ANSWERED, 555)


def test_task_data_that_names_another_text_is_not_believed(hooks: Hooks) -> None:
    one, other = hooks.store.reserve(2).tasks
    lie = {"text_id": one.text_id, "text": other.text}
    answer = {"id": 1, "task": 9, "result": [a_choice("positive")], "updated_at": NOON.isoformat()}
    hooks.put("ANNOTATION_CREATED", annotation=answer, task={"id": 9, "data": lie})
    assert hooks.settle() == Settled(ignored=1)
    assert hooks.label(one) is hooks.label(other) is None


def test_task_data_never_overrule_the_label_store(hooks: Hooks) -> None:
    one, other = hooks.sent(), hooks.sent()
    hooks.answer(other, POSITIVE, task_id=one.task_id)
    hooks.settle()
    assert (hooks.label(one), hooks.label(other)) == (POSITIVE, None)


def test_a_deleted_task_is_reported_and_its_label_stays(hooks: Hooks) -> None:
    task = hooks.sent()
    hooks.answer(task, POSITIVE)
    hooks.put("TASKS_DELETED", tasks=[{"id": task.task_id}])
    hooks.settle()
    assert hooks.label(task) == POSITIVE
    assert hooks.store.tasks.missing() == 1
