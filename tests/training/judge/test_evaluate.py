"""An evaluation comes from running a model, and two models are compared on the same rows only."""

from pathlib import Path

import pytest

from storage.errors import BadInput
from storage.records import Row, Split
from tests.schemes import LABELS
from training.judge.evaluate import Examples, evaluate, examples, rows_as_examples
from training.model.classifier import Classifier

TEXTS = ("profit rose", "sales fell sharply", "the meeting was held")


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    return Classifier.load(tiny_model, LABELS, device="cpu")


def test_answers_are_the_likeliest_labels_of_the_model(classifier: Classifier) -> None:
    evaluation = evaluate(classifier, Examples(TEXTS, LABELS))
    expected = classifier.predict(TEXTS).probabilities.argmax(axis=1)
    assert evaluation.predicted == tuple(LABELS[index] for index in expected)
    assert evaluation.truth == LABELS
    assert evaluation.scores().n == len(evaluation) == 3


def test_a_model_against_itself_differs_by_nothing(classifier: Classifier) -> None:
    evaluation = evaluate(classifier, Examples(TEXTS, LABELS))
    assert evaluation.against(evaluation).macro_f1 == 0.0


def test_answers_for_other_rows_are_not_compared(classifier: Classifier) -> None:
    evaluation = evaluate(classifier, Examples(TEXTS, LABELS))
    others = evaluate(classifier, Examples(TEXTS, LABELS[::-1]))
    with pytest.raises(BadInput, match="different rows"):
        evaluation.against(others)


def test_no_rows_give_no_answers_and_no_scores(classifier: Classifier) -> None:
    evaluation = evaluate(classifier, examples([]))
    assert len(evaluation) == 0
    with pytest.raises(BadInput, match="no rows"):
        evaluation.scores()


def test_examples_need_a_truth_for_each_text() -> None:
    row = Row("id", "text", "neutral", Split.TEST, "phrasebank", "c")
    assert rows_as_examples([row]) == Examples(("text",), ("neutral",))
    with pytest.raises(BadInput, match="2 labels for 1"):
        Examples(("text",), ("neutral", "neutral"))
