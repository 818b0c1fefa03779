"""Texts from a CSV file with the columns `text` and, optionally, `label`.

The whole file is read before anything is returned, so that no caller stores half of a bad file. A row that cannot be
used becomes a bad line. A fault that makes the rest of the file doubtful stops the reading.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from storage.errors import BadInput
from storage.scheme import Scheme
from storage.text import checked
from storage.texts.bad_lines import BadLine


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A usable row: its first line in the file (1-based), its normalised text, its label if it has one."""

    line: int
    text: str
    label: str | None


@dataclass(frozen=True, slots=True)
class CsvReading:
    """The rows of a file in file order, repeats included, and its bad lines."""

    rows: tuple[CsvRow, ...]
    bad_lines: tuple[BadLine, ...]


def read_texts(path: Path, scheme: Scheme | None) -> CsvReading:
    """Read a whole CSV file: UTF-8, with or without a byte-order mark, its first line with the names of the columns.

    The scheme knows the spellings of the labels; an empty label is None. Other columns are ignored, and without a
    scheme the column `label` too. Raises BadInput, naming file, line and cure, where the file is missing, is not
    UTF-8, has no column `text` or one twice, ends inside a quote, or holds no usable row.
    """
    rows: list[CsvRow] = []
    bad_lines: list[BadLine] = []
    records = _records(path, _decoded(path))
    columns = _columns(path, next(records, None), labels=scheme is not None)
    for line, record in records:
        try:
            rows.append(_row(line, record, columns, scheme))
        except BadInput as error:
            bad_lines.append(BadLine(line, str(error)))
    if not rows:
        first = f" Line {bad_lines[0].line}: {bad_lines[0].reason}." if bad_lines else ""
        raise BadInput(f"{path} holds no usable text.{first}")
    return CsvReading(tuple(rows), tuple(bad_lines))


@dataclass(frozen=True, slots=True)
class _Columns:
    text: int
    label: int | None
    number: int


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{path} is not UTF-8: line {line} holds the byte 0x{data[error.start]:02x} (at offset {error.start}).\n"
            "Save it as UTF-8, for example with `iconv -f latin1 -t utf-8`."
        ) from error


def _records(path: Path, content: str) -> Iterator[tuple[int, list[str] | str]]:
    """Line number and fields of every record that is not blank; for an unreadable record, the reason as a string."""
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise BadInput(
                    f"{path} ends inside a quote that opens in the record of line {line}.\n"
                    "Close it, or double quotes that belong to a text."
                ) from error
            until = f", up to line {reader.line_num}" if reader.line_num > line else ""
            yield line, f"not readable as CSV{until}: {error}"
        else:
            if record:
                yield line, record


def _columns(path: Path, header: tuple[int, list[str] | str] | None, *, labels: bool) -> _Columns:
    if header is None:
        raise BadInput(f"{path} is empty; its first line should name the columns `text` and, optionally, `label`.")
    names = [header[1]] if isinstance(header[1], str) else [name.strip().lower() for name in header[1]]
    if names.count("text") != 1 or (labels and names.count("label") > 1):
        raise BadInput(
            f"{path} needs one column `text` and at most one `label`; its first line names: {', '.join(names)}.\n"
            "Rename the columns in the first line; they are separated by commas."
        )
    return _Columns(names.index("text"), names.index("label") if labels and "label" in names else None, len(names))


def _row(line: int, record: list[str] | str, columns: _Columns, scheme: Scheme | None) -> CsvRow:
    """The record as a row. Raises BadInput with the reason where the record cannot be used."""
    if isinstance(record, str):
        raise BadInput(record)
    if len(record) != columns.number:
        raise BadInput(f"{len(record)} fields where the first line names {columns.number} columns")
    label = record[columns.label].strip() if columns.label is not None else ""
    return CsvRow(line, checked(record[columns.text]), scheme.label(label) if scheme and label else None)
