"""A text without a label teaches what the model says of it, and weighs less than an annotator's label."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Row, Split
from tests.schemes import LABELS
from tests.training.model.test_finetune import QUICK, WORDS, rows
from training.model.base_model import BaseModel
from training.model.classifier import Classifier
from training.model.finetune import Finetuned, finetune
from training.model.self_training import (
    LABELS_REPEATED,
    REHEARSED,
    WEIGHT,
    Soft,
    cross_entropy,
    rehearsal,
    target,
)

RECIPE = QUICK.model_copy(update={"self_training": 30})
STREAM = [f"company {number} {word} this year" for number in range(20) for word in WORDS.values()]
OUTPUTS = {label: number for number, label in enumerate(reversed(LABELS))}


def row(number: int, origin: str = "phrasebank") -> Row:
    return Row(f"id {number}", f"text {number}", LABELS[0], Split.TRAIN, origin, "")


def trained(base: BaseModel, folder: Path, given_rows: list[Row], stream: list[str]) -> Finetuned:
    return finetune(given_rows, base, RECIPE, folder / "model", LABELS, unlabelled=stream)


def asked() -> list[Row]:
    """Rows of the seed data, and a few labels."""
    return [
        Row(one.text_id, one.text, one.label, one.split, "label" if number % 5 == 1 else one.origin, one.cluster)
        for number, one in enumerate(rows(each=20))
    ]


def test_a_row_wants_its_label_wherever_the_model_has_it() -> None:
    assert target(row(1), LABELS, OUTPUTS) == [0.0] * (len(LABELS) - 1) + [1.0]


def test_a_text_without_a_label_wants_what_the_teacher_said_and_weighs_less() -> None:
    wanted = target(Soft("text", (0.5, 0.3, 0.2)), LABELS, OUTPUTS)
    assert wanted == pytest.approx([0.2 * WEIGHT, 0.3 * WEIGHT, 0.5 * WEIGHT])


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=8))
def test_the_loss_of_labelled_rows_is_the_usual_cross_entropy(said: list[tuple[int, float, float]]) -> None:
    logits = torch.tensor([[one, other, 0.0] for _, one, other in said])
    truth = torch.tensor([label for label, _, _ in said])
    ours = cross_entropy({"logits": logits}, torch.eye(3)[truth])
    assert float(ours) == pytest.approx(float(torch.nn.functional.cross_entropy(logits, truth)), abs=1e-5)


def test_labels_are_repeated_and_other_rows_are_drawn_once() -> None:
    given_rows = [row(number, "label" if number < 5 else "phrasebank") for number in range(105)]
    drawn = rehearsal([*given_rows, *given_rows[:5]], seed=3)
    assert sum(one.origin == "label" for one in drawn) == 5 * LABELS_REPEATED
    others = [one for one in drawn if one.origin != "label"]
    assert len(others) == len(set(others)) == round(REHEARSED * 100)
    assert drawn == rehearsal(given_rows, seed=3)


def test_a_model_learns_from_the_stream_after_its_labels(tiny_base: BaseModel, tmp_path: Path) -> None:
    made = trained(tiny_base, tmp_path, asked(), STREAM)
    assert made.unlabelled == tuple(STREAM[:30])
    assert made.metrics["unlabelled_texts"] == 30
    texts = [f"company 99 {word} in the quarter" for word in WORDS.values()]
    answers = Classifier.load(made.folder, LABELS, device="cpu").predict(texts)
    assert [LABELS[index] for index in answers.probabilities.argmax(axis=1)] == list(WORDS)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_no_more_texts_than_rows_are_learnt_from(tiny_base: BaseModel, tmp_path: Path) -> None:
    recipe = RECIPE.model_copy(update={"self_training": 1000, "epochs": 1})
    made = finetune(asked(), tiny_base, recipe, tmp_path / "model", LABELS, unlabelled=STREAM * 3)
    assert len(made.unlabelled) == made.metrics["train_rows"] < len(STREAM * 3)


def test_without_annotators_labels_the_stream_teaches_nothing(tiny_base: BaseModel, tmp_path: Path) -> None:
    made = trained(tiny_base, tmp_path, rows(each=8), STREAM)
    assert made.unlabelled == ()
    assert "unlabelled_texts" not in made.metrics
