"""When enough labels are said to be there."""

from collections.abc import Callable

import pytest

from labeling.answer.enough import announce
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


def test_too_few_labels_are_not_announced(label_store: LabelStore, labelled: Callable[..., None]) -> None:
    labelled(2)
    assert not announce(label_store.labels, 0, 3, label_store.outbox)
    assert label_store.outbox.open() == []


def test_enough_labels_are_announced_once_for_a_watermark(
    label_store: LabelStore, labelled: Callable[..., None]
) -> None:
    labelled(3)
    assert [announce(label_store.labels, 0, 3, label_store.outbox) for _ in range(2)] == [True, False]
    (intent,) = label_store.outbox.open("enough-labels")
    assert intent.payload == {"watermark": 0, "labels": 3}


def test_labels_after_the_watermark_are_counted_anew(label_store: LabelStore, labelled: Callable[..., None]) -> None:
    labelled(3)
    watermark = label_store.labels.watermark()
    assert not announce(label_store.labels, watermark, 3, label_store.outbox)
    labelled(3)
    assert announce(label_store.labels, watermark, 3, label_store.outbox)


def test_audit_answers_and_skips_train_nothing(label_store: LabelStore, labelled: Callable[..., None]) -> None:
    labelled(5, Purpose.AUDIT)
    labelled(5, answer=None)
    assert not announce(label_store.labels, 0, 1, label_store.outbox)
