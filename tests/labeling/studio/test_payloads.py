"""What Label Studio 1.23.2 posts, cut down to the fields that matter."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.studio import payloads
from labeling.studio.payloads import AnnotationDeleted, AnnotationSaved, Event, TasksDeleted, Unreadable, project_of
from storage.errors import BadInput
from storage.labels.projects import Project
from storage.records import Annotation, LabelTask, Prediction, Purpose, TaskState
from tests.fixtures_labeling import a_choice
from tests.schemes import SENTIMENT

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "task", "result", "value", "choices", "data"]), inner)
    ),
    max_leaves=15,
)
ACTIONS = ["ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "TASKS_DELETED"]


def events(action: str, payload: dict[str, Any]) -> list[Event]:
    return payloads.events(action, payload, SENTIMENT)


def an_answer(number: int = 3, task: int = 5, **changed: Any) -> dict[str, Any]:
    return {
        "id": number,
        "task": task,
        "result": [a_choice("neutral")],
        "was_cancelled": False,
        "completed_by": 1,
        "updated_at": "2026-11-21T02:34:28.699203Z",
        **changed,
    }


def a_prediction(label: str) -> Prediction:
    even = dict.fromkeys(SENTIMENT.names, 1 / 3)
    return Prediction(label, even, even, 1 / 3, 0.0, "7", datetime(2026, 11, 20, tzinfo=UTC))


def created(**changed: Any) -> dict[str, Any]:
    task = {"id": 5, "data": {"text_id": "abc", "text": "Sales rose"}}
    return {"annotation": an_answer(**changed), "task": task, "project": {"id": 1}}


def test_an_answer_is_read_with_its_task_and_time() -> None:
    moment = datetime(2026, 11, 21, 2, 34, 28, 699203, UTC)
    expected = AnnotationSaved(3, 5, "neutral", "1", moment, "abc", "Sales rose")
    assert events("ANNOTATION_CREATED", created()) == events("ANNOTATION_UPDATED", created()) == [expected]


def test_a_skip_has_no_label_whatever_was_clicked_before() -> None:
    (event,) = events("ANNOTATION_CREATED", created(was_cancelled=True))
    assert isinstance(event, AnnotationSaved)
    assert event.label is None


def test_many_answers_at_once_keep_their_own_tasks() -> None:
    tasks = [{"id": 6, "data": {"text_id": "six", "text": "6"}}, {"id": 5, "data": {"text_id": "five", "text": "5"}}]
    payload = {"annotation": [an_answer(3, 5), an_answer(4, 6)], "task": tasks}
    found = events("ANNOTATIONS_CREATED", payload)
    assert [(event.task_id, event.text_id) for event in found if isinstance(event, AnnotationSaved)] == [
        (5, "five"),
        (6, "six"),
    ]


def test_deletions_carry_ids_only() -> None:
    assert events("ANNOTATIONS_DELETED", {"annotations": [{"id": 3}, {"id": 4}]}) == [
        AnnotationDeleted(3),
        AnnotationDeleted(4),
    ]
    assert events("TASKS_DELETED", {"tasks": [{"id": 3}, {"id": 4}]}) == [TasksDeleted((3, 4))]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ([a_choice("sideways")], "sideways"),
        ([{**a_choice("x"), "value": {"choices": ["positive", "negative"]}}], "2 choices"),
        ([a_choice("positive"), a_choice("negative")], "2 choices"),
    ],
)
def test_an_answer_that_is_not_one_of_the_scheme_is_no_label_and_is_named(result: list[Any], said: str) -> None:
    (event,) = events("ANNOTATION_CREATED", created(result=result))
    assert isinstance(event, AnnotationSaved)
    assert event.label is None
    assert said in str(event.open)


@pytest.mark.parametrize("result", [None, [], [{**a_choice("positive"), "from_name": "other"}], [{"type": "choices"}]])
def test_an_answer_in_which_nothing_is_chosen_is_no_answer_yet(result: list[Any] | None) -> None:
    (event,) = events("ANNOTATION_UPDATED", created(result=result))
    assert isinstance(event, AnnotationSaved)
    assert (event.label, event.open) == (None, "")


@pytest.mark.parametrize("result", [None, [], [a_choice("positive")], [a_choice("sideways")]])
def test_a_cancelled_answer_is_a_skip_whatever_its_result(result: list[Any] | None) -> None:
    (event,) = events("ANNOTATION_CREATED", created(result=result, was_cancelled=True))
    assert isinstance(event, AnnotationSaved)
    assert (event.label, event.open) == (None, None)


@pytest.mark.parametrize("again", ["positive", "Positive", "POS"])
def test_the_same_choice_twice_is_that_choice(again: str) -> None:
    (event,) = events("ANNOTATION_CREATED", created(result=[a_choice("positive"), a_choice(again)]))
    assert isinstance(event, AnnotationSaved)
    assert (event.label, event.open) == ("positive", None)


def test_a_change_by_another_person_is_that_persons_answer() -> None:
    for by in (2, {"id": 2, "email": "b@example.org"}):
        (event,) = events("ANNOTATION_UPDATED", created(updated_by=by))
        assert isinstance(event, AnnotationSaved)
        assert event.annotator == "2"


A_TASK = LabelTask("abc", "Sales rose", "feed", Purpose.SELECT, TaskState.SENT, "b", a_prediction("neutral"))
PROJECT = Project("http://ls", 1)


def recorded(task: LabelTask = A_TASK, **changed: Any) -> Annotation | None:
    (event,) = events("ANNOTATION_CREATED", created(**changed))
    assert isinstance(event, AnnotationSaved)
    return event.of_task(PROJECT, task)


@pytest.mark.parametrize(
    "copied",
    [
        {"parent_prediction": 9},
        {"parent_prediction": 9, "updated_by": 1},
        {"bulk_created": True},
        {"import_id": 4},
        {"last_action": "prediction"},
        {"parent_prediction": 9, "result": [a_choice("positive")]},
    ],
)
def test_an_annotation_that_nobody_gave_is_no_answer(copied: dict[str, Any]) -> None:
    assert recorded(**copied) is None


@pytest.mark.parametrize(
    ("given", "untouched"),
    [
        ({}, False),
        ({"parent_prediction": 9, "lead_time": 1.5}, True),
        ({"parent_prediction": 9, "lead_time": 1.5, "result": [a_choice("positive")]}, False),
        ({"parent_prediction": 9, "updated_by": 1, "result": [a_choice("positive")]}, False),
        ({"lead_time": 2.0}, False),
    ],
)
def test_a_persons_answer_says_whether_it_is_the_prefilled_one_as_it_stood(
    given: dict[str, Any], untouched: bool
) -> None:
    annotation = recorded(**given)
    assert annotation is not None
    assert annotation.untouched is untouched


def test_of_many_annotations_one_that_cannot_be_read_does_not_hold_up_the_others() -> None:
    payload = {"annotation": [an_answer(3, 5), {"id": 4, "task": 6}, an_answer(5, 7)], "task": []}
    found = events("ANNOTATIONS_CREATED", payload)
    assert [type(event) for event in found] == [AnnotationSaved, Unreadable, AnnotationSaved]


@pytest.mark.parametrize("said", ["neutral", "Neutral", " NEU"])
def test_an_answer_in_another_spelling_is_the_schemes_label(said: str) -> None:
    (event,) = events("ANNOTATION_CREATED", created(result=[a_choice(said)]))
    assert isinstance(event, AnnotationSaved)
    assert event.label == "neutral"


@pytest.mark.parametrize("field", ["id", "task", "updated_at"])
def test_what_lacks_its_identity_or_time_is_named(field: str) -> None:
    payload = created()
    del payload["annotation"][field]
    (event,) = events("ANNOTATION_CREATED", payload)
    assert isinstance(event, Unreadable)
    assert field in event.reason


def test_an_action_about_something_else_has_no_events() -> None:
    assert events("PROJECT_UPDATED", {"project": {"id": 1}}) == []


@given(st.sampled_from(ACTIONS), JSON, JSON)
def test_nothing_but_bad_input_comes_of_nonsense(action: str, one: Any, other: Any) -> None:
    payload = {"annotation": one, "annotations": one, "tasks": one, "task": other, "project": other}
    project_of(payload)
    with contextlib.suppress(BadInput):
        events(action, payload)
