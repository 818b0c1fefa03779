"""What a training sees: the seed data and the labels so far, and nothing near the audit."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from flows.artifacts import described
from flows.wiring.parts import Parts
from storage.errors import BadInput
from storage.records import ParentKind, Purpose, Split
from tests.fixtures_home import POLICY, answer, build, judged, put_text, sentence
from training.data.merge import MergePolicy


@contextmanager
def of_seed(parts: Parts, folder: Path, lines: list[str] | None = None) -> Iterator[Parts]:
    """The same home with other seed data, whose lines are written first where they are given."""
    if lines is not None:
        folder.mkdir(exist_ok=True)
        (folder / "Sentences_50Agree.txt").write_text("\n".join(lines) + "\n", encoding="latin-1")
    made = Parts(parts.settings.model_copy(update={"seed_data": str(folder)}))
    yield made
    made.close()


def lines_of(parts: Parts) -> list[str]:
    return [f"{row.text}@{row.label}" for row in parts.seed.rows]


def test_the_first_dataset_is_the_seed_data_alone(parts: Parts) -> None:
    dataset = build(parts)
    assert {row.origin for row in dataset.rows} == {"phrasebank"}
    assert {row.split for row in dataset.rows} == set(Split)
    assert dataset.label_watermark == 0
    seed, labels = dataset.parents
    assert (seed.kind, seed.hash, seed.policy) == (ParentKind.PHRASEBANK, parts.seed.sha256, POLICY.merge.hash())
    assert (labels.kind, labels.origin, labels.policy) == (ParentKind.LABELS, "label", POLICY.merge.hash())


def test_a_new_label_makes_a_new_dataset_that_holds_it(parts: Parts, tiny_model: Path) -> None:
    before = judged(parts, tiny_model)
    text_id = answer(parts, sentence(1, "sharply dropped"), "negative")
    after = build(parts)
    assert after.version != before.version
    (row,) = set(after.rows) - set(before.rows)
    assert (row.text_id, row.label, row.origin) == (text_id, "negative", "label")
    assert after.label_watermark == parts.labels.watermark()


def test_a_dataset_without_a_verdict_comes_first_whatever_was_labelled_since(parts: Parts) -> None:
    unfinished = build(parts)
    answer(parts, sentence(1, "sharply dropped"))
    assert build(parts).version == unfinished.version


def test_a_dataset_left_with_other_seed_data_is_passed_over(parts: Parts, tmp_path: Path) -> None:
    left = build(parts)
    with of_seed(parts, tmp_path / "other", lines_of(parts)[:80]) as other:
        after = build(other)
        assert (len(after.rows), after.parents[0].hash) == (80, other.seed.sha256)
        assert build(other).version == after.version
    assert build(parts).version == left.version


def test_a_labelled_csv_takes_the_place_of_the_phrasebank(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("text,label\n" + "".join(f"{row.text},{row.label}\n" for row in parts.seed.rows))
    left = build(parts)
    with closing(Parts(parts.settings.model_copy(update={"seed_data": str(path)}))) as own:
        dataset = build(own)
        assert {row.origin for row in dataset.rows if row.split is Split.TEST} == {"csv"}
        assert (dataset.parents[0].kind, dataset.parents[0].hash) == (ParentKind.CSV, own.seed.sha256)
        assert build(own).version == dataset.version
    assert dataset.version != left.version
    assert {row.text_id: row.split for row in dataset.rows} == {row.text_id: row.split for row in left.rows}


def test_a_dataset_left_with_another_merge_policy_is_passed_over(parts: Parts) -> None:
    left = build(parts)
    text_id = answer(parts, sentence(1, "sharply dropped"))
    other = POLICY.model_copy(update={"merge": MergePolicy(label_validation_share=0.4)})
    after = build(parts, other)
    assert after.version != left.version
    assert text_id in {row.text_id for row in after.rows}


def test_a_dataset_of_the_same_rows_is_left_with_the_policy_of_now(parts: Parts) -> None:
    left, other = build(parts), POLICY.model_copy(update={"merge": MergePolicy(salt="another")})
    assert build(parts, other).version == left.version
    answer(parts, sentence(1, "sharply dropped"))
    assert build(parts, other).version == left.version


def test_a_dataset_that_cannot_be_trained_on_is_refused_and_the_mended_seed_data_are_taken(
    parts: Parts, tmp_path: Path
) -> None:
    whole, folder = lines_of(parts), tmp_path / "own"
    with of_seed(parts, folder, whole[:31:30]) as small:
        with pytest.raises(BadInput, match=r"no row to train on for"):
            build(small)
        assert (small.datasets.summaries(), small.datasets.splits()) == ([], {})
    with of_seed(parts, folder, whole) as mended:
        assert len(build(mended).rows) == len(whole)


def test_nothing_near_an_audit_text_trains_answered_or_not(parts: Parts) -> None:
    known = sentence(1, "shares jumped after the record order was announced in the morning")
    put_text(parts, known, audit=True)
    near = answer(parts, known + " today")
    answered_audit = sentence(2, "profit warning hit the shares of the company late in the evening")
    answer(parts, answered_audit, "negative", Purpose.AUDIT)
    also_near = answer(parts, answered_audit + " again")
    far = answer(parts, sentence(3, "dividend"))
    dataset = build(parts)
    in_dataset = {row.text_id for row in dataset.rows}
    assert far in in_dataset
    assert near not in in_dataset and also_near not in in_dataset
    assert parts.datasets.load(dataset.version).dropped["near an audit text"] >= 2
    assert " dropped (near an audit text)" in described(dataset, [])


def test_a_text_keeps_its_split_for_ever(parts: Parts, tiny_model: Path) -> None:
    before = {row.text_id: row.split for row in judged(parts, tiny_model).rows}
    for index in range(5):
        answer(parts, sentence(index, "sharply dropped"))
    after = {row.text_id: row.split for row in build(parts).rows}
    assert {text_id: after[text_id] for text_id in before} == before
