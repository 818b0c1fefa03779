"""Passes with dropout differ from each other, repeat by their seed, and leave the model and other threads alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from tests.schemes import LABELS
from training.model.classifier import Classifier

TEXTS = ["profit rose", "the company said that net sales fell sharply in the quarter", "loss", "meeting"]


@pytest.fixture(scope="module")
def classifier(tiny_model: Path) -> Classifier:
    return Classifier.load(tiny_model, LABELS, device="cpu")


def test_passes_differ_and_each_row_sums_to_one(classifier: Classifier) -> None:
    passes = classifier.predict_with_dropout(TEXTS, 4, seed=0)
    assert passes.shape == (4, len(TEXTS), len(LABELS)) and passes.dtype == np.float32
    assert np.allclose(passes.sum(axis=2), 1.0, atol=1e-6)
    assert len(np.unique(passes[:, 0], axis=0)) == 4


def test_a_model_whose_dropout_is_nothing_repeats_its_prediction(tiny_model: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(
        tiny_model, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    classifier = Classifier(model, AutoTokenizer.from_pretrained(tiny_model), LABELS[::-1], "cpu")
    (only,) = classifier.predict_with_dropout(TEXTS, 1, seed=0, batch_size=2)
    assert np.allclose(only, classifier.predict(TEXTS).probabilities, atol=1e-5)


def test_a_seed_fixes_the_passes_also_of_threads_at_once(classifier: Classifier) -> None:
    alone = [classifier.predict_with_dropout(TEXTS, 3, seed=seed, batch_size=2) for seed in range(6)]
    assert len(np.unique([one[0, 0] for one in alone], axis=0)) == 6

    def passes(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return classifier.predict_with_dropout(TEXTS, 3, seed=seed, batch_size=2)

    with ThreadPoolExecutor(3) as pool:
        assert all(
            np.allclose(one, other, atol=1e-6) for one, other in zip(alone, pool.map(passes, range(6)), strict=True)
        )


def test_predictions_meanwhile_and_afterwards_are_without_dropout(classifier: Classifier) -> None:
    before = classifier.predict(TEXTS).logits
    with ThreadPoolExecutor(1) as pool:
        dropping = pool.submit(classifier.predict_with_dropout, TEXTS, 50, 0)
        while not dropping.done():
            assert np.allclose(classifier.predict(TEXTS).logits, before, atol=1e-5)
    assert np.allclose(classifier.predict(TEXTS).logits, before, atol=1e-5)


def test_the_random_numbers_of_the_process_go_on_as_before(classifier: Classifier) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    classifier.predict_with_dropout(TEXTS, 1, seed=9)
    assert torch.rand(1) == expected
