"""Which labels count towards the next retrain, and when they are enough."""

from collections.abc import Callable

import pytest

from labeling.answer.enough import NewLabels, new_labels
from storage.records import Annotation, AnnotationKey, Purpose
from tests.fixtures_labeling import NOON, LabelStore

SERVER = "http://ls"


@pytest.fixture
def labelled(label_store: LabelStore) -> Callable[..., None]:
    """Labels some new texts."""

    def label(count: int, purpose: Purpose = Purpose.SELECT, answer: str | None = "positive") -> None:
        for task in label_store.reserve(count, purpose).tasks:
            number = int(task.text_id[:7], 16)
            key = AnnotationKey(SERVER, 1, number)
            label_store.labels.record(Annotation(key, number, task.text_id, answer, "ann", NOON))

    return label


def test_too_few_labels_are_not_enough(label_store: LabelStore, labelled: Callable[..., None]) -> None:
    labelled(2)
    assert new_labels(label_store.labels, 0, 3) == NewLabels(2, enough=False)


def test_as_many_labels_as_the_threshold_are_enough(label_store: LabelStore, labelled: Callable[..., None]) -> None:
    labelled(3)
    assert new_labels(label_store.labels, 0, 3) == NewLabels(3, enough=True)


def test_labels_after_the_watermark_are_counted_anew(label_store: LabelStore, labelled: Callable[..., None]) -> None:
    labelled(3)
    watermark = label_store.labels.watermark()
    assert new_labels(label_store.labels, watermark, 3) == NewLabels(0, enough=False)
    labelled(3)
    assert new_labels(label_store.labels, watermark, 3).enough


def test_audit_answers_and_skips_train_nothing(label_store: LabelStore, labelled: Callable[..., None]) -> None:
    labelled(5, Purpose.AUDIT)
    labelled(5, answer=None)
    assert new_labels(label_store.labels, 0, 1) == NewLabels(0, enough=False)
