"""The stand-in annotator and its answer key."""

from collections import Counter
from pathlib import Path

import pytest

from deployments.demo.annotator import Annotated, AnswerKey, annotate
from labeling.answer.reconcile import reconcile
from storage.errors import BadInput
from tests.fixtures_labeling import Loop
from tests.schemes import LABELS, SENTIMENT
from tests.storage.processes import at_once

POSITIVE, NEUTRAL, NEGATIVE = LABELS


def test_the_key_keeps_answers_across_ingests_and_the_newest_stands(tmp_path: Path) -> None:
    AnswerKey(tmp_path / "home", SENTIMENT).add({"a": POSITIVE, "b": NEUTRAL})
    AnswerKey(tmp_path / "home", SENTIMENT).add({"b": NEGATIVE})
    AnswerKey(tmp_path / "home", SENTIMENT).add({})
    assert AnswerKey(tmp_path / "home", SENTIMENT).read() == {"a": POSITIVE, "b": NEGATIVE}
    assert [path.name for path in (tmp_path / "home").iterdir() if path.suffix != ".lock"] == ["answer-key.csv"]


ADD = """
import sys
from pathlib import Path
from deployments.demo.annotator import AnswerKey
from storage.scheme import find_scheme
key = AnswerKey(Path(sys.argv[1]), find_scheme("sentiment"))
print("ready", flush=True)
sys.stdin.readline()
for number in range(30):
    key.add({f"{sys.argv[2]}-{number}": "positive"})
"""


def test_two_processes_that_add_at_once_lose_no_answer(tmp_path: Path) -> None:
    at_once(ADD, [[str(tmp_path), name] for name in "ab"])
    assert len(AnswerKey(tmp_path, SENTIMENT).read()) == 60


def test_without_labels_there_is_no_key(tmp_path: Path) -> None:
    assert AnswerKey(tmp_path, SENTIMENT).read() == {}


def test_a_line_that_is_no_answer_is_named(tmp_path: Path) -> None:
    (tmp_path / "answer-key.csv").write_text("text_id,label\na,sideways\n")
    with pytest.raises(BadInput, match="sideways"):
        AnswerKey(tmp_path, SENTIMENT).read()


def test_open_tasks_are_answered_by_the_key_and_others_left_open(loop: Loop) -> None:
    project = loop.project()
    tasks = loop.sent(project, 6)
    key = {task.text_id: label for task, label in zip(tasks, [*LABELS, POSITIVE], strict=False)}
    moved: list[float] = []
    assert annotate(loop.studio, project, key, loop.scheme, progress=moved.append) == Annotated(4, 0, 2)
    assert moved == [0.25, 0.5, 0.75, 1.0]
    reconcile(loop.studio, project, loop.tasks, loop.labels, loop.scheme)
    assert {label.text_id: label.label for label in loop.labels.trainable()} == key
    assert annotate(loop.studio, project, key, loop.scheme) == Annotated(0, 0, 2)


def test_the_limit_counts_answers_and_not_skips(loop: Loop) -> None:
    project = loop.project()
    key = {task.text_id: POSITIVE for task in loop.sent(project, 5)}
    assert annotate(loop.studio, project, key, loop.scheme, limit=2) == Annotated(2, 0, 0)
    assert annotate(loop.studio, project, key, loop.scheme, limit=1, skip_share=1.0) == Annotated(0, 3, 0)
    made = Counter(bool(task["annotations"][0]["result"]) for task in loop.there(project))
    assert (made[True], made[False]) == (2, 3)


def test_an_error_of_the_caller_ends_the_work_soon(loop: Loop) -> None:
    project = loop.project()
    key = {task.text_id: POSITIVE for task in loop.sent(project, 20)}

    def broken(share: float) -> None:
        raise RuntimeError(f"a process died at {share}")

    with pytest.raises(RuntimeError, match="a process died"):
        annotate(loop.studio, project, key, loop.scheme, progress=broken)
    assert 0 < sum(bool(task["annotations"]) for task in loop.there(project)) <= 4
