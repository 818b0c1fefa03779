import io
import json
from collections.abc import Sequence

import numpy as np
import pytest
from rich.console import Console

from deployments.demo.report import Comparison, compared, numbers, tables
from storage.errors import BadInput
from tests.schemes import LABELS
from training.judge.evaluate import Evaluation
from training.judge.metrics import score

POSITIVE, NEUTRAL, NEGATIVE = LABELS
TRUTH = (POSITIVE, NEUTRAL, NEGATIVE) * 10


def evaluated(predicted: Sequence[str], truth: tuple[str, ...] = TRUTH) -> Evaluation:
    one_hot = np.eye(3, dtype=np.float32)[[LABELS.index(label) for label in predicted]]
    return Evaluation(("a text",) * len(truth), truth, tuple(predicted), LABELS, one_hot)


RIGHT = evaluated(TRUTH)
HALF = evaluated([*TRUTH[:15], *[NEUTRAL] * 15])


def test_the_numbers_are_those_of_the_metrics_and_fit_for_json() -> None:
    found = json.loads(json.dumps(numbers(HALF)))
    scores = score(TRUTH, HALF.predicted, LABELS)
    assert found["n"] == 30
    assert found["macro_f1"] == scores.macro_f1
    assert found["accuracy_interval"] == list(scores.accuracy_interval)
    assert found["recall"] == {label: scores.recall[label] for label in LABELS}


def test_the_difference_is_after_less_before() -> None:
    found = compared(Comparison("audit", "audit slice", before=HALF, after=RIGHT))
    assert found["difference"]["macro_f1"] == pytest.approx(
        found["after"]["macro_f1"] - found["before"]["macro_f1"], abs=1e-9
    )
    assert found["difference"]["macro_f1"] > 0
    assert found["difference"]["low"] <= found["difference"]["macro_f1"] <= found["difference"]["high"]


def test_models_are_not_compared_on_different_rows() -> None:
    other = evaluated(TRUTH, truth=TRUTH[1:] + TRUTH[:1])
    with pytest.raises(BadInput, match="different rows"):
        compared(Comparison("audit", "audit slice", before=HALF, after=other))


def test_the_tables_have_both_models_and_the_difference_and_fit_80_columns() -> None:
    out = io.StringIO()
    rows = [Comparison("audit", "audit slice", HALF, RIGHT), Comparison("seed", "seed data", RIGHT, HALF)]
    Console(file=out, width=80).print(tables(rows, "1", "2"))
    said = out.getvalue()
    assert "Before (version 1) and after (version 2)" in said
    assert said.count("│ before ") == said.count("│ after ") == 2
    difference = compared(rows[0])["difference"]["macro_f1"]
    assert f"+{difference:.3f}" in said and f"-{difference:.3f}" in said
    assert "…" not in said
