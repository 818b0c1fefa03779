"""What the summary says of a loop: where the seconds went, and that what was asked or trained is not held out."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from deployments.demo.annotator import AnswerKey
from deployments.demo.rounds import Round
from deployments.demo.summary import _held_out, latency
from flows.prefect_api.runs import Run
from flows.steps.judge import learnt_by
from flows.wiring.parts import Parts
from storage.clock import now
from storage.records import Split
from tests.fixtures_home import answer, build, put_text, register, registered, sentence

BEGAN = now()


def a_run(flow: str, started: float, ended: float) -> Run:
    """A run by its seconds after the last label."""
    first, last = BEGAN + timedelta(seconds=started), BEGAN + timedelta(seconds=ended)
    return Run("id", flow, "COMPLETED", "", "event", "event", first, first, last)


@pytest.fixture
def last(parts: Parts, tiny_model: Path) -> Round:
    return Round(
        candidate=register(parts, tiny_model),
        promoted=True,
        runs={},
        task_seconds={"train": 60.0, "judge": 5.0},
        last_label=1000.0,
        last_label_at=BEGAN,
        first_reply=1080.0,
    )


def test_the_parts_of_the_latency_sum_up_to_it(last: Round) -> None:
    found = latency(last, {"retrain": a_run("retrain", 4, 71), "deploy": a_run("deploy", 75, 79)})
    assert (found["total"], found["rest"]) == (80.0, 15.0)
    pieces = list(found)[4:]
    assert sum(found[piece] for piece in pieces) == pytest.approx(found["rest"], abs=0.05)
    assert found["last label to start of retrain"] == 4.0
    assert found["retrain less training and evaluation"] == 2.0
    assert found["end of retrain to start of deploy"] == 4.0
    assert found["deploy until the first answer"] == 5.0


def test_without_a_promotion_there_is_no_latency(last: Round) -> None:
    assert latency(replace(last, first_reply=None), {"retrain": a_run("retrain", 4, 71)}) == {}


def test_held_out_texts_were_sent_to_nobody_and_nothing_that_trained_is_like_them(
    parts: Parts, tiny_model: Path
) -> None:
    asked = sentence(1, "asked about and answered by somebody")
    answer(parts, asked)
    dataset = build(parts)
    trained = next(row.text for row in dataset.rows if row.split is Split.TRAIN and row.origin == "phrasebank")
    near, clean, unknown = (
        put_text(parts, words) for words in (trained + " now", sentence(2, "left alone"), sentence(3, "no answer"))
    )
    key = {text.text_id: "neutral" for text in (near, clean)}
    label = parts.labels.trainable()[0]
    AnswerKey(parts.settings.home, parts.scheme).add({**key, label.text_id: "positive"})
    assert unknown.text_id not in key
    learnt = learnt_by(registered(parts, tiny_model, dataset), parts.registry, parts.datasets)
    found = _held_out(parts, [learnt], seed=0)
    assert (found.texts, found.truth) == ((clean.text,), ("neutral",))
