"""What training promises, on a model small enough to learn three words in two seconds."""

import json
import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import load_file
from transformers import AutoTokenizer

from storage.errors import BadInput
from storage.records import Row, Split
from storage.text import text_id
from tests.fixtures_models import write_tiny_model
from tests.schemes import LABELS
from training.model.base_model import BaseModel
from training.model.classifier import Classifier
from training.model.finetune import READINGS, Finetuned, _label_weight, _training_rows, finetune
from training.model.head import with_our_labels
from training.model.reading import FIELD
from training.model.recipe import Recipe

WORDS = {"positive": "rose", "neutral": "meeting", "negative": "fell"}
QUICK = Recipe(epochs=20, learning_rate=3e-3, batch_size=8, seed=1)


def rows(each: int = 20) -> list[Row]:
    made = []
    for label, word in WORDS.items():
        for number in range(each):
            text = f"company {number} {word} in the quarter"
            split = Split.VALIDATION if number % 4 == 0 else Split.TRAIN
            made.append(Row(text_id(text), text, label, split, "phrasebank", text_id(text)))
    return made


@pytest.fixture(scope="module")
def told() -> list[tuple[float, str]]:
    return []


@pytest.fixture(scope="module")
def trained(tiny_base: BaseModel, tmp_path_factory: pytest.TempPathFactory, told: list[tuple[float, str]]) -> Finetuned:
    output = tmp_path_factory.mktemp("trained") / "model"
    return finetune(rows(), tiny_base, QUICK, output, LABELS, lambda share, message: told.append((share, message)))


def test_a_trained_model_has_learnt_its_rows_and_names_its_labels(trained: Finetuned) -> None:
    texts = [f"company 99 {word} in the quarter" for word in WORDS.values()]
    answers = Classifier.load(trained.folder, LABELS, device="cpu").predict(texts)
    assert [LABELS[index] for index in answers.probabilities.argmax(axis=1)] == list(WORDS)
    assert trained.metrics["validation_macro_f1"] > 0.9
    assert trained.metrics["train_rows"] == 45
    assert trained.seconds > 0


def test_only_safetensors_tokenizer_and_configuration_are_left(trained: Finetuned) -> None:
    names = {path.name for path in trained.folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"} <= names
    assert names <= {"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt",
                     "special_tokens_map.json"}  # fmt: skip
    assert [path.name for path in trained.folder.parent.iterdir()] == ["model"]


def test_progress_goes_from_nothing_to_all_and_tells_every_epoch(
    trained: Finetuned, told: list[tuple[float, str]]
) -> None:
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len([message for _, message in told if "macro-F1" in message]) == QUICK.epochs


def test_the_best_epoch_is_kept_not_the_last(tiny_base: BaseModel, tmp_path: Path) -> None:
    """With a learning rate that destroys what was learnt, the kept model still scores what its metrics say."""
    wild = Recipe(epochs=4, learning_rate=1e-2, batch_size=8, warmup=0.0, seed=1)
    all_rows = rows()
    made = finetune(all_rows, tiny_base, wild, tmp_path / "wild", LABELS)
    validation = [row for row in all_rows if row.split is Split.VALIDATION]
    answers = Classifier.load(made.folder, LABELS, device="cpu").predict([row.text for row in validation])
    right = np.mean([LABELS[i] == row.label for i, row in zip(answers.logits.argmax(axis=1), validation, strict=True)])
    assert right == pytest.approx(made.metrics["validation_accuracy"], abs=0.07)  # bf16 evaluates, float32 predicts


def test_the_same_rows_in_any_order_train_the_same_model(tiny_base: BaseModel, tmp_path: Path) -> None:
    short = Recipe(epochs=1, batch_size=8)
    one = finetune(rows(), tiny_base, short, tmp_path / "one", LABELS)
    other = finetune(rows()[::-1], tiny_base, short, tmp_path / "other", LABELS)
    answers = [
        Classifier.load(made.folder, LABELS, device="cpu").predict(["profit rose"]).logits for made in (one, other)
    ]
    assert np.allclose(answers[0], answers[1], atol=1e-5)


def test_what_starts_from_nothing_learns_at_its_own_rate(tiny_base: BaseModel, tmp_path: Path) -> None:
    names = ("classifier.weight", "bert.encoder.layer.0.attention.self.query.weight")

    def moved(head_rate: int) -> tuple[float, float]:
        recipe = Recipe(epochs=1, learning_rate=1e-5, head_rate=head_rate, weight_decay=0, seed=1)
        after = load_file(
            finetune(rows(), tiny_base, recipe, tmp_path / str(head_rate), LABELS).folder / "model.safetensors"
        )
        torch.manual_seed(1)
        before = with_our_labels(tiny_base.folder, LABELS)[0].state_dict()
        head, body = (float((after[name] - before[name]).abs().max()) for name in names)
        return head, body

    (slow_head, slow_body), (fast_head, fast_body) = moved(1), moved(100)
    assert fast_head > 50 * slow_head > 0
    assert 0 < fast_body < 2 * slow_body


def test_a_base_that_cannot_pad_is_refused_by_name(tiny_base: BaseModel, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_base.folder, tmp_path / "unpadded")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder)
    with pytest.raises(BadInput, match=r"unpadded.*no padding token"):
        finetune(rows(), BaseModel("unpadded", folder, False), QUICK, tmp_path / "model", LABELS)


def test_a_head_with_our_names_is_kept_by_name(tmp_path: Path) -> None:
    finbert = write_tiny_model(tmp_path / "finbert", names=("positive", "negative", "neutral"))
    barely = Recipe(epochs=1, learning_rate=1e-6)
    made = finetune(rows(4), BaseModel("finbert", finbert, exposed=True), barely, tmp_path / "model", LABELS)
    before, after = (Classifier.load(folder, LABELS, device="cpu").predict(["profit rose"]).logits
                     for folder in (finbert, made.folder))  # fmt: skip
    assert np.allclose(before, after, atol=1e-2)
    assert made.labels == ("positive", "negative", "neutral")


def test_a_killed_training_does_not_stand_in_the_way(tiny_base: BaseModel, tmp_path: Path) -> None:
    left_over = tmp_path / ".model.training" / "model"
    left_over.mkdir(parents=True)
    (left_over / "old").touch()
    made = finetune(rows(4), tiny_base, Recipe(epochs=1), tmp_path / "model", LABELS)
    assert not (made.folder / "old").exists()
    assert not (tmp_path / ".model.training").exists()


def test_a_folder_in_use_and_missing_splits_are_refused_before_training(tiny_base: BaseModel, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").touch()
    with pytest.raises(BadInput, match="not empty"):
        finetune(rows(4), tiny_base, QUICK, taken, LABELS)
    only_train = [row for row in rows(4) if row.split is Split.TRAIN]
    with pytest.raises(BadInput, match="validation"):
        finetune(only_train, tiny_base, QUICK, tmp_path / "none", LABELS)
    assert not (tmp_path / "none").exists()


def test_test_rows_are_never_trained_on_and_labels_are_repeated_by_weight() -> None:
    label = Row("b", "b", "negative", Split.TRAIN, "label", "b")
    test = Row("c", "c", "negative", Split.TEST, "phrasebank", "c")
    bank = Row("a", "a", "positive", Split.TRAIN, "phrasebank", "a")
    recipe = Recipe(label_weight=3, label_share=0.9)
    assert _training_rows([test, label, bank], recipe) == [bank, label, label, label]


@given(
    labels=st.integers(0, 5000),
    others=st.integers(0, 5000),
    weight=st.integers(1, 10),
    share=st.floats(0, 0.9),
)
def test_labels_are_repeated_only_within_their_share(labels: int, others: int, weight: int, share: float) -> None:
    chosen = _label_weight(labels, others, Recipe(label_weight=weight, label_share=share))
    assert 1 <= chosen <= weight
    if chosen > 1:
        assert chosen * labels / (chosen * labels + others) <= share + 1e-9


def test_few_labels_beside_many_sentences_reach_the_full_weight() -> None:
    assert _label_weight(270, 3645, Recipe()) == 3
    assert _label_weight(270, 945, Recipe()) == 1
    assert _label_weight(0, 945, Recipe()) == 1


def test_a_recipe_is_named_by_everything_in_it() -> None:
    changed = {"epochs": 5, "learning_rate": 1e-4, "head_rate": 5, "batch_size": 32,
               "weight_decay": 0.1, "warmup": 0.2, "label_weight": 2, "label_share": 0.5, "self_training": 9,
               "links": "read", "limit": 10, "seed": 1}  # fmt: skip
    assert set(changed) == set(Recipe.model_fields)
    hashes = {Recipe(**{name: value}).hash() for name, value in changed.items()}
    assert len(hashes | {Recipe().hash()}) == len(changed) + 1
    assert Recipe(epochs=4).hash() == Recipe().hash()


def test_a_recipe_of_earlier_models_keeps_its_hash() -> None:
    before = Recipe(self_training=0, links="read")
    assert before.hash() == "1df95451e41c9f907b89c23b0c536dc699e2dd1f5977987c77f4cdd8a4ff97bc"


@pytest.mark.parametrize("links", ["read", "word"])
def test_a_model_reads_links_as_its_recipe_says(
    tiny_base: BaseModel, tmp_path: Path, links: Literal["read", "word"]
) -> None:
    recipe = QUICK.model_copy(update={"links": links, "epochs": 1})
    made = finetune(rows(), tiny_base, recipe, tmp_path / "model", LABELS)
    config = json.loads((made.folder / "config.json").read_text())
    assert config[FIELD] == str(READINGS[links])


@pytest.mark.parametrize("field", [{"epochs": 0}, {"epochs": 21}, {"learning_rate": 1.0}, {"batch": 3}])
def test_a_recipe_out_of_bounds_is_refused(field: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Recipe.model_validate(field)
