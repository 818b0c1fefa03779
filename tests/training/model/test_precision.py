"""The fast precision stays close to the exact one, is never used unasked, and leaves other threads alone."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from tests.fixtures_models import varied_texts
from tests.schemes import LABELS
from training.model.classifier import Classifier, Predicted, softmax
from training.model.precision import GAP, Agreement, Precision, agreement, bf16_pays

TEXTS = varied_texts(240)


@pytest.fixture(scope="module")
def classifier(calm_model: Path) -> Classifier:
    return Classifier.load(calm_model, LABELS, device="cpu")


def predicted(logits: list[list[float]]) -> Predicted:
    rows = np.array(logits, dtype=np.float32)
    return Predicted(LABELS, rows, softmax(rows), np.zeros(len(rows), dtype=bool))


def test_a_fast_prediction_is_close_to_the_served_one_whatever_shares_its_batch(classifier: Classifier) -> None:
    served = classifier.predict(TEXTS)
    for size in (1, 32, 240):
        fast = classifier.predict(TEXTS, size, Precision.FAST)
        assert agreement(served, fast).close
        assert fast.logits.dtype == np.float32
        if not bf16_pays("cpu"):
            assert np.allclose(fast.logits, served.logits, atol=1e-5)


@pytest.mark.skipif(not bf16_pays("cpu"), reason="this processor does not multiply bf16")
def test_predictions_are_exact_unless_the_caller_asks_for_fast_ones(classifier: Classifier) -> None:
    exact = classifier.predict(TEXTS, precision=Precision.EXACT).logits
    fast = classifier.predict(TEXTS, precision=Precision.FAST).logits
    assert (fast != exact).any()
    assert (classifier.predict(TEXTS).logits == exact).all()


def test_a_fast_prediction_leaves_the_exact_ones_of_other_threads_alone(classifier: Classifier) -> None:
    alone, together = classifier.predict(TEXTS).logits, Barrier(2)

    def run(precision: Precision) -> list[Predicted]:
        together.wait()
        return [classifier.predict(TEXTS, precision=precision) for _ in range(5)]

    with ThreadPoolExecutor(2) as pool:
        exact, _ = pool.map(run, (Precision.EXACT, Precision.FAST))
    assert all(np.allclose(one.logits, alone, atol=1e-5) for one in exact)


@pytest.mark.parametrize(
    ("found", "close"),
    [
        (Agreement(10, 1, 0.99, GAP), True),
        (Agreement(10, 2, 0.99, GAP), False),
        (Agreement(4000, 4, 0.99, GAP), True),
        (Agreement(4000, 5, 0.99, GAP), False),
        (Agreement(10, 0, 0.989, GAP), False),
        (Agreement(10, 0, 0.99, GAP + 0.001), False),
        (Agreement(10, 0, float("nan"), 0.0), False),
        (Agreement(10, 0, 1.0, float("nan")), False),
    ],
)
def test_close_means_labels_order_and_probabilities(found: Agreement, close: bool) -> None:
    assert found.close is close


def test_an_agreement_counts_other_labels_and_compares_the_orders_of_confidence() -> None:
    one = predicted([[3, 0, 0], [0, 2, 0], [1, 0, 0]])
    found = agreement(one, predicted([[3, 0, 0], [0, 0, 2.5], [1.5, 0, 0]]))
    assert (found.texts, found.differing, found.tau) == (3, 1, 1.0)
    assert found.gap == pytest.approx(
        float(softmax(np.array([[0, 0, 2.5]], dtype=np.float32))[0, 2] - 0.1065), abs=1e-3
    )
    assert agreement(one, predicted([[1, 0, 0], [0, 2, 0], [3, 0, 0]])).tau == -1.0
    assert agreement(one.rows(0, 1), one.rows(0, 1)).close
    assert agreement(one.rows(0, 0), one.rows(0, 0)).close
