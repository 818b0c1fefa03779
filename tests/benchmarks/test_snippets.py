"""The second domain: ratings become labels, and no text near a judging one is in the stream."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.efficiency.snippets import STRONG, apart, label_of, read_rated, write
from storage.errors import BadInput
from training.data.clusters import near_duplicates


@given(st.floats(-4, 4))
def test_a_weak_rating_is_neutral_and_a_strong_one_has_its_sign(rating: float) -> None:
    expected = "neutral" if abs(rating) < STRONG else "positive" if rating > 0 else "negative"
    assert label_of(rating) == expected
    assert {label_of(STRONG), label_of(-STRONG), label_of(0)} == {"positive", "negative", "neutral"}


def test_each_text_is_read_once_with_its_tabs_and_without_empty_ones() -> None:
    content = "1\t1.5\tA fine\tday\n2\t-2\tA fine\tday\n3\t-0.7\tRain\n4\t0.1\t \n"
    assert read_rated(content) == [("A fine\tday", "positive"), ("Rain", "negative")]


@pytest.mark.parametrize("line", ["no tabs", "1\tmuch\tA text"])
def test_a_line_that_is_no_rating_is_named(line: str) -> None:
    with pytest.raises(BadInput, match="line 2"):
        read_rated(f"1\t1.0\tGood\n{line}\n")


def test_copies_are_wholly_in_the_stream_or_wholly_among_the_judging_texts() -> None:
    texts = [f"The committee of district {n} met on a day in May and said that its budget is sound" for n in range(40)]
    others = [f"{chr(97 + n % 26) * 9} {n * n} {chr(98 + n % 20) * 7} moved {n}" for n in range(60)]
    rows = [(text, "neutral") for text in [*texts, *others]]
    stream, judge = apart(rows)
    assert sorted([*stream, *judge]) == sorted(rows)
    assert stream and judge
    assert not near_duplicates([text for text, _ in stream], [text for text, _ in judge])


def test_a_text_with_commas_and_quotes_is_written_as_it_is(tmp_path: Path) -> None:
    rows = [('He said "no", twice', "negative")]
    write(tmp_path / "seed.csv", rows)
    with (tmp_path / "seed.csv").open(newline="", encoding="utf-8") as file:
        assert [(row["text"], row["label"]) for row in csv.DictReader(file)] == rows
