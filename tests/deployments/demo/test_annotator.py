"""The stand-in annotator and its answer key."""

import threading
from collections import Counter
from pathlib import Path

import pytest

from deployments.demo.annotator import Annotated, AnswerKey, annotate
from labeling.answer.reconcile import reconcile
from storage.errors import BadInput
from tests.fixtures_labeling import Loop
from tests.schemes import LABELS, SENTIMENT

POSITIVE, NEUTRAL, NEGATIVE = LABELS


def test_the_key_keeps_answers_across_ingests_and_the_newest_stands(tmp_path: Path) -> None:
    AnswerKey(tmp_path / "home", SENTIMENT).add({"a": POSITIVE, "b": NEUTRAL})
    AnswerKey(tmp_path / "home", SENTIMENT).add({"b": NEGATIVE})
    AnswerKey(tmp_path / "home", SENTIMENT).add({})
    assert AnswerKey(tmp_path / "home", SENTIMENT).read() == {"a": POSITIVE, "b": NEGATIVE}
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["answer-key.csv"]


def test_without_labels_there_is_no_key(tmp_path: Path) -> None:
    assert AnswerKey(tmp_path, SENTIMENT).read() == {}


def test_a_line_that_is_no_answer_is_named(tmp_path: Path) -> None:
    (tmp_path / "answer-key.csv").write_text("text_id,label\na,soaring\n")
    with pytest.raises(BadInput, match="soaring"):
        AnswerKey(tmp_path, SENTIMENT).read()


def test_open_tasks_are_answered_by_the_key_and_others_left_open(loop: Loop) -> None:
    ids = loop.project()
    tasks = loop.sent(ids, 6)
    key = {task.text_id: label for task, label in zip(tasks, [*LABELS, POSITIVE], strict=False)}
    moved: list[float] = []
    assert annotate(loop.studio, ids.project_id, key, progress=moved.append) == Annotated(4, 0, 2)
    assert moved == [0.25, 0.5, 0.75, 1.0]
    reconcile(loop.studio, ids, loop.tasks, loop.labels)
    assert {label.text_id: label.label for label in loop.labels.trainable()} == key
    assert annotate(loop.studio, ids.project_id, key) == Annotated(0, 0, 2)


def test_the_limit_counts_answers_and_not_skips(loop: Loop) -> None:
    ids = loop.project()
    key = {task.text_id: POSITIVE for task in loop.sent(ids, 5)}
    assert annotate(loop.studio, ids.project_id, key, limit=2) == Annotated(2, 0, 0)
    assert annotate(loop.studio, ids.project_id, key, limit=1, skip_share=1.0) == Annotated(0, 3, 0)
    made = Counter(bool(task["annotations"][0]["result"]) for task in loop.there(ids))
    assert (made[True], made[False]) == (2, 3)


def test_a_stop_is_heard(loop: Loop) -> None:
    ids = loop.project()
    key = {task.text_id: POSITIVE for task in loop.sent(ids, 20)}
    stop = threading.Event()
    done = annotate(loop.studio, ids.project_id, key, threads=1, progress=lambda _: stop.set(), stop=stop)
    assert 0 < done.answered <= 3
