"""A bad row is named and left out; a file that cannot be trusted stops everything."""

import csv
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import BadInput
from storage.text import as_stored, checked
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
        ("x" * 200_000 + ",neutral", "200,000 characters"),
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


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["", *LABELS, "up"]))))
def test_every_row_written_is_read_or_named(write: Write, tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "texts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("text", "label"), ("one more", "neutral"), *rows])
    reading = read_texts(path, SENTIMENT)
    assert len(reading.rows) + len(reading.bad_lines) == len(rows) + 1
    bad = {line.line for line in reading.bad_lines if "joins these lines" not in line.reason}
    lines = [row.line for row in reading.rows] + [line.line for line in reading.bad_lines]
    by_line = dict(zip(sorted(lines), [("one more", "neutral"), *rows], strict=True))
    assert [(row.text, row.label or "") for row in reading.rows] == [
        (as_stored(by_line[row.line][0]), by_line[row.line][1]) for row in reading.rows
    ]
    assert all(by_line[line][1] == "up" or not usable(by_line[line][0]) for line in bad)


def usable(text: str) -> bool:
    """Whether a text by itself can be stored."""
    try:
        return bool(checked(text))
    except BadInput:
        return False


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


@pytest.mark.parametrize(
    ("content", "taken", "left"),
    [
        ('text,label\n"a b,positive\nc d,neutral\ne f",negative\nlast,neutral\n', ["last"], [(2, 4)]),
        ('label,text\npositive,"a b\nneutral,c d\nnegative,e f"\nneutral,last\n', ["last"], [(2, 4)]),
        ('text,url\n"a b,http://a\nc d",http://c\nlast,http://l\n', ["last"], [(2, 3)]),
        ('text,label\n"a ""b"",\nc, d",positive\nlast,neutral\n', ['a "b", c, d', "last"], []),
        ('text,url\n"Sales rose to 1,000\nLoss",http://x\nlast,http://l\n', ["Sales rose to 1,000 Loss", "last"], []),
        (
            'text,label\n"He said "yes" to it.\nThe chief,negative\nand so on\nto the end",neutral\nlast,up\nz,\n',
            ["z"],
            [(2, 5), (6, 6)],
        ),
        ('text,label\n"He said "no",positive\nb,neutral\nc,negative\n', ["b", "c"], [(2, 2)]),
        ("text,label\na,positive\ntext,label\nb,neutral\n", ["a", "b"], [(3, 3)]),
    ],
)
def test_rows_are_never_merged_and_texts_never_cut(
    write: Write, content: str, taken: list[str], left: list[tuple[int, int]]
) -> None:
    reading = read_texts(write(content), SENTIMENT)
    assert [row.text for row in reading.rows] == taken
    assert [(bad.line, bad.until) for bad in reading.bad_lines] == left


@pytest.mark.parametrize("closing", ['"', '\n"', ' ""said"""'])
def test_a_giant_field_is_one_bad_line_and_reading_goes_on_behind_it(write: Write, closing: str) -> None:
    article = "It went on.\n" * 13_000 + "The outlook is,positive\nThat was all"
    reading = read_texts(write(f'text,label\nfirst,neutral\n"{article}{closing},neutral\nlast,neutral\n'), SENTIMENT)
    assert [row.text for row in reading.rows] == ["first", "last"]
    assert [bad.line for bad in reading.bad_lines] == [3] and "characters" in reading.bad_lines[0].reason


PIECES = st.sampled_from(
    ['"', '""', ",", "\n", "\r\n", "\r", "a", "b c", "positive", ",neutral\n", '",negative\n', "\x00"]
)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PIECES, max_size=25).map("".join))
def test_every_line_is_in_one_row_or_bad_line_or_blank(tmp_path: Path, content: str) -> None:
    path = tmp_path / "texts.csv"
    path.write_text(f"text,label\none,neutral\n{content}", encoding="utf-8", newline="")
    try:
        reading = read_texts(path, SENTIMENT)
    except BadInput as error:
        assert "ends inside a quote" in str(error)
        return
    with path.open(encoding="utf-8", newline="") as file:
        lines = dict(enumerate(file, start=1))
    spans = [(row.line, row.until) for row in reading.rows] + [(bad.line, bad.until) for bad in reading.bad_lines]
    covered = [1, *(line for first, last in spans for line in range(first, last + 1))]
    assert len(covered) == len(set(covered))
    assert all(not lines[line].strip("\r\n") for line in set(lines) - set(covered))


@pytest.mark.parametrize(
    ("header", "value", "label", "said"),
    [
        ("labels", "positive", "positive", "labels are read from the column `labels`"),
        ("Sentiment", "Bullish", "positive", "labels are read from the column `sentiment`"),
        ("sentiment", "0.7", None, "`sentiment` is not read as labels"),
        ("gold", "neutral", None, "`gold` may hold labels"),
        ("url", "x", None, "columns that are not used: url"),
    ],
)
def test_no_column_is_passed_over_in_silence(
    write: Write, header: str, value: str, label: str | None, said: str
) -> None:
    reading = read_texts(write(f"text,{header}\na,{value}\n"), SENTIMENT)
    assert [row.label for row in reading.rows] == [label]
    assert said in " ".join(reading.notes)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("text\tlabel\na\tb\n", ["separated by tabs", "delimiter='\\t'"]),
        ("sep=;\ntext;label\n", ["Delete this line"]),
        ("text,labels,sentiment\na,positive,neutral\n", ["labels, sentiment", "Rename"]),
        ("text,source,source\na,b,c\n", ["text, source, source"]),
        ("ÿþt\x00e\x00x\x00t\x00\n", ["UTF-16LE", "latin1"]),
    ],
)
def test_the_cure_fits_the_file(write: Write, content: str, says: list[str]) -> None:
    with pytest.raises(BadInput) as error:
        read_texts(write(content), SENTIMENT)
    assert all(part in str(error.value) for part in says)


def test_source_and_time_are_read_with_their_zone_and_a_bad_time_is_named(write: Write) -> None:
    lines = ["a,R,2024-01-01T10:00:00+02:00", 'b,,"Wed, 02 Oct 2002 13:00:00 GMT"', "c,,31/12/2024", "d,,2024-01-01"]
    reading = read_texts(write("\n".join(["text,source,published_at", *lines])), SENTIMENT)
    assert [row.source for row in reading.rows] == ["R", None, None, None]
    times = [row.published_at and row.published_at.isoformat() for row in reading.rows]
    assert times == ["2024-01-01T10:00:00+02:00", "2002-10-02T13:00:00+00:00", None, "2024-01-01T00:00:00+00:00"]
    assert [f"the first in line {line}" in note for line, note in zip((5, 4), reading.notes, strict=True)] == [True] * 2


def test_entities_are_named_and_unescaped_where_that_is_asked_for(write: Write) -> None:
    path = write("text\nAT&amp;T &#8211; up\nR&D; profit&notable\n")
    reading = read_texts(path, SENTIMENT)
    assert reading.rows[0].text == "AT&amp;T &#8211; up" and "HTML entities" in reading.notes[0]
    again = read_texts(path, SENTIMENT, unescape=True)
    assert [row.text for row in again.rows] == ["AT&T – up", "R&D; profit&notable"] and not again.notes


@pytest.mark.parametrize(
    ("text", "said"),
    [("Nokia\x92s", "-f CP1252"), ("â€\x9d ZÃ¼rich", "were UTF-8"), ("x\ufffdy", "lost"), ('"a\nb"', "lines")],
)
def test_a_damaged_text_is_taken_and_named(write: Write, text: str, said: str) -> None:
    reading = read_texts(write(f"text\nok\n{text}\n"), SENTIMENT)
    assert len(reading.rows) == 2 and said in reading.notes[0] and "line 3" in reading.notes[0]
