"""Batches lose nothing and read nothing ahead; the seeded order depends on ids and seed alone."""

from collections.abc import Iterator
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from storage.texts.paging import batches, seeded_order


@given(st.lists(st.integers()), st.integers(1, 20))
def test_batches_hold_every_item_in_order(items: list[int], size: int) -> None:
    cut = list(batches(items, size))
    assert list(chain.from_iterable(cut)) == items
    assert all(len(batch) == size for batch in cut[:-1])
    assert all(cut)


def test_batches_read_no_further_than_they_must() -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    assert next(batches(source(), 3)) == [0, 1, 2]
    assert taken == [0, 1, 2]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True), st.integers())
def test_the_seeded_order_does_not_depend_on_the_order_of_arrival(ids: list[str], seed: int) -> None:
    assert sorted(seeded_order(ids, seed)) == sorted(ids)
    assert seeded_order(reversed(ids), seed) == seeded_order(ids, seed)


@given(st.sets(st.integers(0, 10_000), min_size=1), st.integers(10_001, 20_000), st.integers())
def test_a_late_text_does_not_deal_the_others_again(numbers: set[int], late: int, seed: int) -> None:
    ids = [str(number) for number in numbers]
    with_late = seeded_order([*ids, str(late)], seed)
    assert [identity for identity in with_late if identity != str(late)] == seeded_order(ids, seed)


def test_every_text_is_first_for_some_seed() -> None:
    ids = [str(number) for number in range(10)]
    firsts = [seeded_order(ids, seed)[0] for seed in range(2_000)]
    assert all(130 <= firsts.count(identity) <= 270 for identity in ids)  # 200 expected, five deviations
