"""Two to twenty labels, of any names, through training, saving, loading and predicting."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from storage.clock import now
from storage.errors import BadInput
from storage.records import Row, Split
from tests.fixtures_models import WORDS, write_tiny_model
from training.judge.evaluate import evaluate, rows_as_examples
from training.model.base_model import BaseModel
from training.model.classifier import Classifier, to_predictions
from training.model.finetune import finetune
from training.model.head import with_our_labels
from training.model.recipe import Recipe

RECIPE = Recipe(epochs=8, learning_rate=3e-3, batch_size=16)
OWN = [word for word in WORDS.split() if word.isalpha() and len(word) > 3]
"""Words of one token, as many as labels."""

TWO = ("Confirmed by the company", "rumour")
FOUR = ("buy", "hold", "sell", 'not said: 1, "2"')
TWENTY = tuple(f"kind {chr(97 + number)}" for number in range(20))


def rows(labels: tuple[str, ...]) -> list[Row]:
    """Texts that repeat a word of their label's own."""
    made = []
    for number, label in enumerate(labels):
        for index in range(max(12, 96 // len(labels))):
            split = Split.VALIDATION if index % 4 == 0 else Split.TRAIN
            text = f"{OWN[number]} {OWN[number]} {OWN[number]} {index}"
            made.append(Row(f"{number} {index}", text, label, split, "phrasebank", f"{number} {index}"))
    return made


@pytest.mark.parametrize("labels", [TWO, FOUR, TWENTY], ids=["2", "4", "20"])
def test_any_number_of_labels_is_trained_saved_loaded_and_predicted(
    tiny_base: BaseModel, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    seen = labels[:-1] if labels is FOUR else labels
    made = finetune(rows(seen), tiny_base, RECIPE, tmp_path / "model", labels)
    assert made.labels == labels
    model = Classifier.load(made.folder, labels, device="cpu")
    examples = rows_as_examples(rows(seen))
    answers = evaluate(model, examples)
    assert answers.probabilities.shape == (len(examples), len(labels))
    assert np.allclose(answers.probabilities.sum(axis=1), 1, atol=1e-5)
    assert answers.scores().accuracy > 3 / (len(labels) + 2), "far above chance: names and columns belong together"
    assert list(answers.scores().recall) == list(labels)
    for record in to_predictions(model.predict(examples.texts[:3]), "1", now()):
        assert tuple(record.scores) == tuple(record.logits) == labels
        assert record.label == max(record.scores, key=lambda name: record.scores[name])
        first, second = sorted(record.scores.values(), reverse=True)[:2]
        assert record.confidence == first
        assert record.margin == pytest.approx(first - second)
    model.save(tmp_path / "again")
    again = Classifier.load(tmp_path / "again", labels[::-1], device="cpu")
    expected = model.predict(examples.texts).logits[:, ::-1]
    assert np.array_equal(again.predict(examples.texts).logits, expected), "columns are in the order that is asked for"


@pytest.mark.parametrize("before", [None, "regression", "multi_label_classification"])
@pytest.mark.parametrize("outputs", [1, 2, 5])
def test_two_labels_are_two_logits_of_one_choice_whatever_the_base_was(
    tiny_base: BaseModel, tmp_path: Path, before: str | None, outputs: int
) -> None:
    folder = shutil.copytree(tiny_base.folder, tmp_path / "base")
    config = json.loads((folder / "config.json").read_text())
    names = {str(number): f"LABEL_{number}" for number in range(outputs)}
    config |= {"id2label": names, "label2id": {name: int(number) for number, name in names.items()}}
    (folder / "config.json").write_text(json.dumps(config | ({"problem_type": before} if before else {})))
    model, new = with_our_labels(folder, TWO)
    assert model.config.problem_type == "single_label_classification"
    assert model.classifier.out_features == 2
    assert {"classifier.weight", "classifier.bias"} <= new
    assert model.config.id2label == dict(enumerate(TWO))


def test_a_base_that_knows_the_names_in_another_case_keeps_its_head_under_ours(tmp_path: Path) -> None:
    base = write_tiny_model(tmp_path / "base", names=("RUMOUR", "confirmed by the COMPANY"))
    model, new = with_our_labels(base, TWO)
    assert new == frozenset()
    assert model.config.id2label == {0: "rumour", 1: "Confirmed by the company"}


def test_a_model_of_another_number_of_labels_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "four", names=FOUR)
    with pytest.raises(BadInput, match=r"are buy, hold, sell, .* needs Confirmed by the company, rumour by name"):
        Classifier.load(folder, TWO)
