"""A bad row is named and left out; a file that cannot be trusted stops everything."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import BadInput
from storage.text import normalise
from storage.texts.bad_lines import BadLine
from storage.texts.csv import CsvReading, CsvRow, read_texts
from tests.schemes import LABELS, SENTIMENT, scheme_of

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(content: str | bytes) -> Path:
        path = tmp_path / "texts.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


def test_texts_come_with_their_labels_and_lines(write: Write) -> None:
    path = write("text,label\nProfit rose,positive\n\n  Sales   fell ,negative\n")
    assert read_texts(path, SENTIMENT) == CsvReading(
        (CsvRow(2, "Profit rose", "positive"), CsvRow(4, "Sales fell", "negative")), ()
    )


def test_a_label_may_be_an_alias_of_the_scheme_in_any_case(write: Write) -> None:
    reading = read_texts(write("text,label\na rise,Bullish\na fall,bearish\nnothing,NEU\n"), SENTIMENT)
    assert [row.label for row in reading.rows] == ["positive", "negative", "neutral"]
    other = scheme_of("confirmed", "rumour")
    assert [row.label for row in read_texts(write("text,label\nx,Rumour\ny,bullish\n"), other).rows] == ["rumour"]


def test_labels_are_optional_as_a_column_and_in_a_row(write: Write) -> None:
    assert read_texts(write("text\nProfit rose\n"), SENTIMENT).rows == (CsvRow(2, "Profit rose", None),)
    assert read_texts(write("label,text\n,Profit rose\n Neutral ,x\n"), SENTIMENT).rows == (
        CsvRow(2, "Profit rose", None),
        CsvRow(3, "x", "neutral"),
    )


def test_where_no_labels_are_wanted_theirs_is_one_of_the_other_columns(write: Write) -> None:
    path = write("text,label,label\nProfit rose,bullish,1\nLoss,2,\n")
    reading = read_texts(path, None)
    assert [(row.text, row.label) for row in reading.rows] == [("Profit rose", None), ("Loss", None)]
    assert reading.bad_lines == ()


def test_other_columns_are_ignored(write: Write) -> None:
    assert read_texts(write("id,Text,url,LABEL\n1,a,b,neutral\n"), SENTIMENT).rows == (CsvRow(2, "a", "neutral"),)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(write: Write) -> None:
    path = write('\ufefftext,label\r\n"a\r\nb",neutral\r\nc,positive\r\n')
    assert read_texts(path, SENTIMENT).rows == (CsvRow(2, "a b", "neutral"), CsvRow(4, "c", "positive"))


def test_repeated_texts_are_all_given(write: Write) -> None:
    assert [row.line for row in read_texts(write("text\na\na\n"), SENTIMENT).rows] == [2, 3]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",neutral", "empty"),
        ('" \n ",neutral', "empty"),
        ("x" * 100_000 + ",neutral", "100,000 characters"),
        ("x" * 200_000 + ",neutral", "not readable"),
        ("a\x00b,neutral", "NUL"),
        ("Profit rose,soaring", "'soaring' is none of positive, neutral, negative"),
        ("Profit rose", "1 fields where the first line names 2 columns"),
        ("Profit rose, they say,positive", "3 fields where the first line names 2 columns"),
        ('"Profit" rose,positive', "not readable"),
    ],
)
def test_a_bad_row_is_named_and_left_out(write: Write, row: str, reason: str) -> None:
    reading = read_texts(write(f"text,label\nfirst,neutral\n{row}\nlast,neutral\n"), SENTIMENT)
    assert [row.text for row in reading.rows] == ["first", "last"]
    (bad,) = reading.bad_lines
    assert bad.line == 3
    assert reason in bad.reason


def test_a_stray_quote_names_how_far_it_reached(write: Write) -> None:
    reading = read_texts(write('text\na\n"b\nc\nd "e\nf\n'), SENTIMENT)
    assert [row.text for row in reading.rows] == ["a", "f"]
    assert [bad.line for bad in reading.bad_lines] == [3]
    assert "up to line 5" in reading.bad_lines[0].reason


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", ["is empty", "`text`"]),
        (b"\n\n", ["is empty"]),
        (b"tweet,label\na,neutral\n", ["tweet, label", "`text`"]),
        (b"text;label\na;neutral\n", ["text;label", "separated by commas"]),
        (b"text,text\na,b\n", ["text, text"]),
        (b"text,label\n", ["no usable text"]),
        (b"text,label\na,soaring\n,neutral\n", ["no usable text", "Line 2", "soaring"]),
        (b'text\na\n"b\nc\n', ["line 3", "quote"]),
        ("text\na\nUmsatz in Zürich\n".encode("latin-1"), ["line 3", "0xfc", "offset 18", "iconv"]),
        ("text\na\n".encode("utf-16"), ["line 1", "not UTF-8"]),
    ],
)
def test_a_file_that_cannot_be_trusted_stops_everything(write: Write, content: bytes, says: list[str]) -> None:
    path = write(content)
    with pytest.raises(BadInput) as error:
        read_texts(path, SENTIMENT)
    for part in [str(path), *says]:
        assert part in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.csv cannot be read: No such file"):
        read_texts(tmp_path / "nowhere.csv", SENTIMENT)
    with pytest.raises(BadInput, match="cannot be read"):
        read_texts(tmp_path, SENTIMENT)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["", *LABELS, "up"]))))
def test_every_row_written_is_read_or_named(write: Write, tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "texts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("text", "label"), ("one more", "neutral"), *rows])
    reading = read_texts(path, SENTIMENT)
    assert len(reading.rows) + len(reading.bad_lines) == len(rows) + 1
    usable = [row for row in rows if normalise(row[0]) and "\x00" not in row[0] and row[1] != "up"]
    assert [(row.text, row.label) for row in reading.rows[1:]] == [
        (normalise(text), label if label else None) for text, label in usable
    ]


def test_a_bad_line_reads_as_a_line_and_a_reason(write: Write) -> None:
    assert read_texts(write("text\n\n\n \nok\n"), SENTIMENT).bad_lines == (BadLine(4, "the text is empty"),)


def test_real_posts_are_read_whole() -> None:
    given_file = os.environ.get("FINLOOP_TEST_TEXTS")
    if not given_file:
        pytest.skip("FINLOOP_TEST_TEXTS is not set: no CSV of real texts")
    reading = read_texts(Path(given_file), SENTIMENT)
    with Path(given_file).open(encoding="utf-8", newline="") as file:
        assert len(reading.rows) == sum(1 for _ in csv.DictReader(file))
    assert reading.bad_lines == ()
    assert all(row.label for row in reading.rows)
