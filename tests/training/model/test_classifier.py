"""What a classifier promises whatever model is inside."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from storage.errors import BadInput
from tests.fixtures_models import write_tiny_model
from tests.schemes import LABELS
from training.model.classifier import Classifier, Predicted, label_columns, softmax, to_predictions

TEXTS = [
    "Profit rose.",
    "The company said that sales fell sharply in the quarter, while operating profit grew to 12.5 million euros.",
    "Loss",
    "The annual meeting will be held in April. " * 30,
    "Shares up 5 %",
]


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    return Classifier.load(tiny_model, LABELS, device="cpu")


def test_an_answer_does_not_depend_on_what_shares_its_batch(classifier: Classifier) -> None:
    together = classifier.predict(TEXTS, batch_size=32)
    for size in (1, 2, 3):
        assert np.allclose(classifier.predict(TEXTS, batch_size=size).logits, together.logits, atol=1e-5)
    alone = np.concatenate([classifier.predict([text]).probabilities for text in TEXTS])
    assert np.allclose(alone, together.probabilities, atol=1e-5)


def test_answers_come_in_the_order_of_the_texts(classifier: Classifier) -> None:
    backwards = classifier.predict(TEXTS[::-1]).logits
    assert np.allclose(backwards[::-1], classifier.predict(TEXTS).logits, atol=1e-5)
    assert len({tuple(row) for row in backwards.round(4).tolist()}) == len(TEXTS)


def test_no_texts_give_no_answers(classifier: Classifier) -> None:
    assert classifier.predict([]).probabilities.shape == (0, 3)


def test_labels_go_by_name_whatever_the_order_of_the_model(tmp_path: Path) -> None:
    ours = Classifier.load(write_tiny_model(tmp_path / "ours"), LABELS, device="cpu").predict(TEXTS).logits
    finbert = write_tiny_model(tmp_path / "finbert", names=("Positive", "NEGATIVE", "neutral"))
    theirs = Classifier.load(finbert, LABELS, device="cpu").predict(TEXTS).logits
    assert np.allclose(theirs, ours[:, [0, 2, 1]], atol=1e-5)


@pytest.mark.parametrize(
    "names", [("LABEL_0", "LABEL_1", "LABEL_2"), ("bullish", "neutral", "bearish"), ("positive", "Positive", "neutral")]
)
def test_labels_without_our_names_are_refused_by_name(names: tuple[str, str, str]) -> None:
    with pytest.raises(BadInput, match=names[1]):
        label_columns(dict(enumerate(names)), LABELS)


def test_a_base_model_is_no_classifier(tiny_model: Path, tiny_base_folder: Path, tmp_path: Path) -> None:
    headless = tmp_path / "headless"
    shutil.copytree(tiny_base_folder, headless)
    shutil.copy(tiny_model / "config.json", headless / "config.json")
    with pytest.raises(BadInput, match="lack"):
        Classifier.load(headless, LABELS)
    with pytest.raises(BadInput, match="not a model"):
        Classifier.load(tmp_path, LABELS)


def test_weights_that_are_cut_short_are_no_classifier(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    shutil.copytree(tiny_model, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BadInput, match=f"{folder} cannot be loaded"):
        Classifier.load(folder, LABELS)


def test_pickled_weights_are_never_read(tiny_model: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(tiny_model, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    with pytest.raises(BadInput, match="cannot be loaded"):
        Classifier.load(pickled, LABELS)


def test_code_that_comes_with_a_model_is_never_run(tiny_model: Path, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    shutil.copytree(tiny_model, remote)
    config = json.loads((remote / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoModelForSequenceClassification": "strange.Strange"}}
    (remote / "config.json").write_text(json.dumps(config))
    (remote / "strange.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    with pytest.raises(BadInput):
        Classifier.load(remote, LABELS)
    assert not (tmp_path / "ran").exists()


def test_a_saved_model_answers_the_same(classifier: Classifier, tmp_path: Path) -> None:
    classifier.save(tmp_path / "saved")
    again = Classifier.load(tmp_path / "saved", LABELS, device="cpu")
    assert np.array_equal(again.predict(TEXTS).logits, classifier.predict(TEXTS).logits)
    assert not list((tmp_path / "saved").glob("*.bin"))


def test_half_precision_weights_predict_in_float32(classifier: Classifier, tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForSequenceClassification

    half = tmp_path / "half"
    shutil.copytree(tiny_model, half)
    AutoModelForSequenceClassification.from_pretrained(tiny_model, dtype=torch.bfloat16).save_pretrained(half)
    narrow = Classifier.load(half, LABELS, device="cpu")
    assert np.allclose(narrow.predict(TEXTS[:1]).logits, narrow.predict(TEXTS).logits[:1], atol=1e-5)


def test_probabilities_sum_to_one_even_for_extreme_logits() -> None:
    rows = softmax(np.array([[1000.0, 0.0, -1000.0], [3.0, 3.0, 3.0]], dtype=np.float32))
    assert np.allclose(rows.sum(axis=1), 1.0)
    assert rows[0].tolist() == [1.0, 0.0, 0.0]


def test_a_record_names_the_likeliest_label_and_its_margin() -> None:
    logits = np.log(np.array([[0.2, 0.3, 0.5]], dtype=np.float32))
    when = datetime(2024, 5, 1, tzinfo=UTC)
    (record,) = to_predictions(Predicted(LABELS, logits, softmax(logits), np.zeros(len(logits), dtype=bool)), "7", when)
    assert (record.label, record.model_version, record.predicted_at) == ("negative", "7", when)
    assert record.confidence == pytest.approx(0.5)
    assert record.margin == pytest.approx(0.2)
    assert record.scores["neutral"] == pytest.approx(0.3)
