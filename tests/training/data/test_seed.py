"""Seed data: the PhraseBank or a labelled CSV, frozen by the hash of the file, in the labels of the scheme."""

import hashlib
from pathlib import Path

import pytest

from storage.errors import BadInput
from storage.records import Parent, ParentKind
from storage.scheme import Scheme, SchemeLabel, find_scheme
from storage.texts.bad_lines import BadLine
from training.data.merge import MergePolicy, merge
from training.data.seed import SeedRow, read_seed

SENTIMENT = find_scheme("sentiment")
RUMOUR = Scheme(
    name="rumour",
    question="Is this confirmed?",
    instructions="Judge only what the text says.",
    labels=(
        SchemeLabel(name="confirmed", meaning="An official source says so.", aliases=("true",)),
        SchemeLabel(name="rumour", meaning="Nobody official says so."),
    ),
)


def a_csv(folder: Path, *lines: str) -> Path:
    path = folder / "mine.csv"
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return path


def test_a_csv_is_read_by_the_names_and_aliases_of_the_scheme(tmp_path: Path) -> None:
    path = a_csv(tmp_path, "It is so,TRUE", "They say so,rumour")
    read = read_seed(path, 50, RUMOUR)
    assert read.rows == (SeedRow(2, "It is so", "confirmed"), SeedRow(3, "They say so", "rumour"))
    assert (read.bad_lines, read.groups, read.source) == ((), {}, "mine.csv")


def test_a_phrasebank_folder_is_read_by_the_aliases_of_the_scheme_too(tmp_path: Path) -> None:
    (tmp_path / "Sentences_50Agree.txt").write_text("It is so@true\nThey say so@Rumour\n")
    assert [row.label for row in read_seed(tmp_path, 50, RUMOUR).rows] == ["confirmed", "rumour"]


def test_a_line_without_a_label_or_with_a_wrong_one_is_named_and_left_out(tmp_path: Path) -> None:
    read = read_seed(a_csv(tmp_path, "a,positive", "b,", "c,good", ",neutral", "d,negative"), 50, SENTIMENT)
    assert [row.line for row in read.rows] == [2, 6]
    assert read.bad_lines == (
        BadLine(3, "the label is empty"),
        BadLine(4, "the label 'good' is none of positive, neutral, negative"),
        BadLine(5, "the text is empty"),
    )


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["a,", "b,good"], r"no labelled row.*Line 2: the label is empty"),
        (["a,positive", "b,positive", "c,"], r"only rows of the label positive.*two labels.*Line 4"),
        ([], "no usable text"),
    ],
)
def test_data_of_fewer_than_two_labels_are_refused(tmp_path: Path, lines: list[str], reason: str) -> None:
    with pytest.raises(BadInput, match=rf"mine\.csv.*{reason}"):
        read_seed(a_csv(tmp_path, *lines), 50, SENTIMENT)


def test_a_phrasebank_of_one_label_is_refused_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "Sentences_50Agree.txt").write_text("One .@neutral\n")
    with pytest.raises(BadInput, match="only rows of the label neutral"):
        read_seed(tmp_path, 50, SENTIMENT)


def test_a_csv_that_is_not_there_is_named_as_a_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"mine\.csv cannot be read"):
        read_seed(tmp_path / "mine.csv", 50, SENTIMENT)


def test_seed_data_are_frozen_by_the_hash_of_their_file(tmp_path: Path) -> None:
    path = a_csv(tmp_path, "a,positive", "b,negative")
    before = read_seed(path, 50, SENTIMENT)
    assert before.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert before.parent("p") == Parent(ParentKind.CSV, "mine.csv", before.sha256, "p", "csv")
    a_csv(tmp_path, "a,positive", "b,neutral")
    assert read_seed(path, 50, SENTIMENT).sha256 != before.sha256


def test_a_phrasebank_says_its_agreement_level(tmp_path: Path) -> None:
    (tmp_path / "Sentences_75Agree.txt").write_text("It rose@positive\nIt fell@negative\n")
    read = read_seed(tmp_path, 75, SENTIMENT)
    assert read.source == f"{tmp_path.name}/Sentences_75Agree.txt, agreement 75"
    assert read.parent("p").origin == "phrasebank"


def test_the_rows_of_a_csv_say_so_and_give_the_test_rows(tmp_path: Path) -> None:
    lines = [
        f"{hashlib.sha256(str(number).encode()).hexdigest()},{'positive' if number % 2 else 'negative'}"
        for number in range(40)
    ]
    read = read_seed(a_csv(tmp_path, *lines), 50, SENTIMENT)
    rows = merge(read, (), (), {}, MergePolicy()).rows
    assert {row.origin for row in rows} == {"csv"}
    assert {row.split for row in rows} == {"train", "validation", "test"}
