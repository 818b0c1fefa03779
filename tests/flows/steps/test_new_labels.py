"""Which labels count towards the next retrain: those that no dataset has read, and that the merge keeps."""

from pathlib import Path

import pytest

from flows.intents import Retrain, read
from flows.steps.new_labels import NewLabels, announce, count_new
from flows.wiring.parts import Parts
from storage.errors import BadInput
from storage.records import Purpose, Split
from tests.fixtures_home import answer, build, judged, put_text, sentence
from training.data.seed import SeedData


def counted(parts: Parts, at_least: int = 1) -> NewLabels:
    return count_new(parts.labels, parts.texts, parts.datasets, lambda: parts.seed, at_least)


def announced(parts: Parts, threshold: int) -> bool:
    return announce(parts.labels, parts.texts, parts.datasets, parts.outbox, lambda: parts.seed, threshold)


def beside_the_audit(parts: Parts, index: int) -> None:
    """A label whose text is near a text of the audit share, which came after the text was chosen."""
    words = sentence(index, "shares jumped after the record order was announced in the morning")
    answer(parts, words)
    put_text(parts, words + " today", audit=True)


def test_audit_answers_and_skips_are_no_new_labels(parts: Parts) -> None:
    answer(parts, sentence(1, "audit"), purpose=Purpose.AUDIT)
    answer(parts, sentence(2, "skipped"), None)
    assert counted(parts) == NewLabels(0, 0)
    answer(parts, sentence(3, "selected"))
    assert counted(parts) == NewLabels(1, 1)


def test_a_label_near_an_audit_text_is_given_and_not_kept(parts: Parts) -> None:
    beside_the_audit(parts, 1)
    answer(parts, sentence(2, "sharply dropped"), "negative")
    assert counted(parts) == NewLabels(given=2, kept=1)


def test_a_label_near_a_test_row_is_given_and_not_kept(parts: Parts) -> None:
    tested = next(row.text for row in build(parts).rows if row.split is Split.TEST)
    answer(parts, tested + " .")
    assert counted(parts) == NewLabels(given=1, kept=0)


def test_what_is_kept_is_what_the_next_dataset_learns_from(parts: Parts) -> None:
    for index in range(3):
        beside_the_audit(parts, index)
        answer(parts, sentence(1000 + index, "sharply dropped"), "negative")
    counts = counted(parts)
    assert counts == NewLabels(given=6, kept=3)
    assert counts.kept == sum(row.origin == "label" for row in build(parts).rows)


def test_labels_of_an_earlier_dataset_are_not_counted_again(parts: Parts, tiny_model: Path) -> None:
    answer(parts, sentence(1, "sharply dropped"))
    judged(parts, tiny_model)
    assert counted(parts) == NewLabels(0, 0)


def test_too_few_labels_are_not_merged(parts: Parts) -> None:
    def never() -> SeedData:
        raise AssertionError("the seed data were read")

    beside_the_audit(parts, 1)
    assert count_new(parts.labels, parts.texts, parts.datasets, never, at_least=2) == NewLabels(1, 1)


def test_all_labels_count_as_kept_where_the_seed_data_cannot_be_read(parts: Parts) -> None:
    def gone() -> SeedData:
        raise BadInput("there is no such file")

    beside_the_audit(parts, 1)
    assert count_new(parts.labels, parts.texts, parts.datasets, gone) == NewLabels(1, 1)


@pytest.mark.parametrize("more", [0, 2])
def test_labels_that_cannot_train_start_no_retrain(parts: Parts, more: int) -> None:
    for index in range(3):
        beside_the_audit(parts, index)
    for index in range(more):
        answer(parts, sentence(10 + index, "selected"))
    assert not announced(parts, 3)
    assert parts.outbox.open() == []


def test_enough_labels_are_announced_once_and_only_trainable_ones_count(parts: Parts) -> None:
    answer(parts, sentence(1, "audit"), purpose=Purpose.AUDIT)
    answer(parts, sentence(2, "skipped"), None)
    beside_the_audit(parts, 9)
    for index in range(2):
        answer(parts, sentence(index, "selected"))
    assert not announced(parts, 3)
    answer(parts, sentence(3, "selected"))
    assert announced(parts, 3)
    answer(parts, sentence(4, "selected"))
    assert not announced(parts, 3)
    assert [read(entry) for entry in parts.outbox.open()] == [Retrain(0, labels=3)]
