"""What Label Studio 1.23.2 posts, cut down to the fields that matter."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.studio import payloads
from labeling.studio.payloads import AnnotationDeleted, AnnotationSaved, Event, TasksDeleted, project_of
from storage.errors import BadInput
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
        ([], "0 choices"),
        ([{**a_choice("positive"), "from_name": "other"}], "0 choices"),
    ],
)
def test_an_answer_that_is_not_one_of_the_scheme_is_refused_by_name(result: list[Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        events("ANNOTATION_CREATED", created(result=result))


@pytest.mark.parametrize("said", ["neutral", "Neutral", " NEU"])
def test_an_answer_in_another_spelling_is_the_schemes_label(said: str) -> None:
    (event,) = events("ANNOTATION_CREATED", created(result=[a_choice(said)]))
    assert isinstance(event, AnnotationSaved)
    assert event.label == "neutral"


@pytest.mark.parametrize("field", ["id", "task", "updated_at"])
def test_what_lacks_its_identity_or_time_is_refused_by_name(field: str) -> None:
    payload = created()
    del payload["annotation"][field]
    with pytest.raises(BadInput, match=field):
        events("ANNOTATION_CREATED", payload)


def test_an_action_about_something_else_has_no_events() -> None:
    assert events("PROJECT_UPDATED", {"project": {"id": 1}}) == []


@given(st.sampled_from(ACTIONS), JSON, JSON)
def test_nothing_but_bad_input_comes_of_nonsense(action: str, one: Any, other: Any) -> None:
    payload = {"annotation": one, "annotations": one, "tasks": one, "task": other, "project": other}
    project_of(payload)
    with contextlib.suppress(BadInput):
        events(action, payload)
