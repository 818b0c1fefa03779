from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from storage.datasets.rows import dataset_hash
from storage.datasets.splits import KnownSplits
from storage.datasets.versions import Datasets
from storage.errors import BadInput, UnknownVersion
from storage.records import DatasetVersion, Parent, ParentKind, Row, Split
from tests.schemes import LABELS as NAMES
from tests.storage.conftest import NOON

SEED = Parent(ParentKind.PHRASEBANK, "sample", "f" * 64, "p", "phrasebank")
LABELS = Parent(ParentKind.LABELS, "annotators' labels", "e" * 64, "p", "label")
OTHER_SEED = replace(SEED, name="hub", hash="0" * 64)


@pytest.fixture
def datasets(engine: Engine) -> Datasets:
    return Datasets(engine)


def a_row(number: int, split: Split = Split.TRAIN, label: str = "neutral", origin: str = "phrasebank") -> Row:
    return Row(f"{number:032x}", f"Text – {number}", label, split, origin, f"c{number}")


def a_dataset(rows: tuple[Row, ...], watermark: int = 0, hours: int = 0) -> DatasetVersion:
    """A version as a retrain makes it: named by its rows."""
    return DatasetVersion(
        version=dataset_hash(rows),
        created_at=NOON + timedelta(hours=hours),
        parents=(SEED, LABELS),
        label_watermark=watermark,
        policy="p",
        rows=rows,
        dropped={"near an audit text": 3},
    )


def splits_of(rows: tuple[Row, ...]) -> KnownSplits:
    return {row.text_id: (row.cluster, row.split) for row in rows}


def test_a_version_comes_back_as_it_was_saved(datasets: Datasets) -> None:
    rows = (a_row(1), a_row(2, Split.TEST, "negative"), a_row(3, Split.VALIDATION))
    dataset = a_dataset(rows, watermark=7)
    datasets.save(dataset, splits_of(rows))
    assert datasets.load(dataset.version) == dataset
    assert datasets.summaries()[0]["version"] == dataset.version
    assert datasets.splits() == splits_of(rows)


def test_saving_a_version_again_changes_no_row_and_moves_the_watermark(datasets: Datasets) -> None:
    dataset = a_dataset((a_row(1),), watermark=7)
    datasets.save(dataset, {})
    newer = replace(dataset, label_watermark=9, dropped={"near an audit text": 5})
    datasets.save(replace(newer, created_at=NOON + timedelta(days=1), rows=(a_row(1), a_row(2))), {})
    assert datasets.load(dataset.version) == newer
    assert datasets.watermark() == 9


def test_the_watermark_never_moves_back(datasets: Datasets) -> None:
    dataset = a_dataset((a_row(1),), watermark=7)
    datasets.save(dataset, {})
    datasets.save(replace(dataset, label_watermark=3), {})
    assert datasets.watermark() == 7


def test_the_split_of_a_text_never_changes(datasets: Datasets) -> None:
    datasets.save(a_dataset((a_row(1, Split.TEST),)), {"f" * 32: ("c", Split.VALIDATION)})
    before = datasets.splits()
    datasets.save(a_dataset((a_row(2),), hours=1), {"f" * 32: ("d", Split.TRAIN), a_row(1).text_id: ("d", Split.TRAIN)})
    after = datasets.splits()
    assert {text_id: after[text_id] for text_id in before} == before


def test_a_version_that_trains_on_a_test_text_is_refused_whole(datasets: Datasets) -> None:
    datasets.save(a_dataset((a_row(1, Split.TEST),)), {})
    leaking = a_dataset((a_row(1, Split.TRAIN), a_row(2)), watermark=5, hours=1)
    with pytest.raises(BadInput, match=f"{a_row(1).text_id} is in the test split for ever"):
        datasets.save(leaking, splits_of(leaking.rows))
    assert datasets.watermark() == 0
    assert a_row(2).text_id not in datasets.splits()
    with pytest.raises(UnknownVersion):
        datasets.load(leaking.version)


def test_a_version_without_rows_is_saved_too(datasets: Datasets) -> None:
    datasets.save(a_dataset(()), {})
    assert datasets.load(a_dataset(()).version).rows == ()


def test_a_retrain_that_was_cut_short_is_taken_up_until_it_is_judged(datasets: Datasets) -> None:
    assert datasets.unjudged() is None
    version = a_dataset((a_row(1),)).version
    datasets.save(a_dataset((a_row(1),)), {})
    assert (datasets.unjudged(), datasets.judged(version)) == (version, False)
    datasets.mark_judged(version)
    assert (datasets.unjudged(), datasets.judged(version)) == (None, True)


def test_a_judged_version_that_the_newest_labels_lead_back_to_is_not_judged_again(datasets: Datasets) -> None:
    first, second = a_dataset((a_row(1),), watermark=1), a_dataset((a_row(2),), watermark=2, hours=1)
    datasets.save(first, {})
    datasets.mark_judged(first.version)
    datasets.save(second, {})
    datasets.save(replace(first, label_watermark=3), {})
    assert datasets.summaries()[0]["version"] == first.version
    assert datasets.unjudged() is None


@pytest.mark.parametrize("other", [{"seed": OTHER_SEED}, {"seed": replace(SEED, kind=ParentKind.CSV)}, {"policy": "q"}])
def test_a_retrain_that_was_cut_short_with_other_parents_is_passed_over(
    datasets: Datasets, other: dict[str, Any]
) -> None:
    left = a_dataset((a_row(1),))
    datasets.save(left, {})
    assert datasets.unjudged(seed=replace(SEED, name="moved"), policy="p") == left.version
    assert datasets.unjudged(**other) is None


def test_a_judged_version_of_other_parents_hides_none_that_was_cut_short(datasets: Datasets) -> None:
    left, other = a_dataset((a_row(1),)), replace(a_dataset((a_row(2),), hours=1), parents=(OTHER_SEED, LABELS))
    for dataset in (left, other):
        datasets.save(dataset, {})
    datasets.mark_judged(other.version)
    assert datasets.unjudged(seed=SEED) == left.version
    assert datasets.unjudged(seed=OTHER_SEED) is None


def test_a_version_that_newer_labels_were_read_after_is_not_taken_up(datasets: Datasets) -> None:
    left, other = (
        a_dataset((a_row(1),), watermark=1),
        replace(a_dataset((a_row(2),), watermark=2), parents=(OTHER_SEED, LABELS)),
    )
    for dataset in (left, other):
        datasets.save(dataset, {})
    assert datasets.unjudged(seed=SEED) is None


def test_a_version_has_the_parents_of_the_newest_save_until_it_is_judged(datasets: Datasets) -> None:
    left = a_dataset((a_row(1),))
    other = replace(left, parents=(OTHER_SEED, replace(LABELS, policy="q")), policy="q")
    datasets.save(left, {})
    datasets.save(other, {})
    assert datasets.load(left.version) == other
    datasets.mark_judged(left.version)
    datasets.save(left, {})
    assert datasets.load(left.version) == other


def test_an_unknown_version_is_named(datasets: Datasets) -> None:
    with pytest.raises(UnknownVersion, match="nope"):
        datasets.load("nope")
    with pytest.raises(UnknownVersion, match="nope"):
        datasets.mark_judged("nope")


def test_summaries_count_rows_by_origin_and_split_newest_first(datasets: Datasets) -> None:
    old = a_dataset((a_row(1), a_row(2, Split.TEST), replace(a_row(3), origin="label")), watermark=1)
    new = a_dataset((a_row(1),), watermark=2, hours=1)
    for dataset in (old, new):
        datasets.save(dataset, {})
    datasets.mark_judged(old.version)
    first, second = datasets.summaries()
    assert (first["version"], second["version"]) == (new.version, old.version)
    assert second["parents"] == [asdict(SEED), asdict(LABELS)]
    assert second["rows"] == {"phrasebank train": 1, "phrasebank test": 1, "label train": 1}
    assert (first["judged_at"], second["judged_at"] is None) == (None, False)


ROWS = st.lists(
    st.builds(
        a_row,
        st.integers(0, 9),
        st.sampled_from(list(Split)),
        st.sampled_from(NAMES),
        st.sampled_from(["phrasebank", "label"]),
    ),
    unique_by=lambda row: row.text_id,
)


@given(ROWS, st.randoms())
def test_the_name_of_a_dataset_is_its_rows_in_any_order(rows: list[Row], random: object) -> None:
    assert dataset_hash(reversed(rows)) == dataset_hash(rows)


@pytest.mark.parametrize(
    "changed",
    [a_row(2), a_row(1, split=Split.TEST), a_row(1, label="negative"), a_row(1, origin="label")],
)
def test_one_thing_changed_in_one_row_makes_another_name(changed: Row) -> None:
    assert dataset_hash([changed, a_row(3)]) != dataset_hash([a_row(1), a_row(3)])


@given(ROWS, ROWS)
def test_different_rows_have_different_names(one: list[Row], other: list[Row]) -> None:
    assert (dataset_hash(one) == dataset_hash(other)) == (set(one) == set(other))
