"""Texts from a CSV file with the columns `text` and, optionally, `label`, `source` and `published_at`.

The whole file is read before anything is returned, so that no caller stores half of a bad file. A row that cannot be
used becomes a bad line. A fault that makes the rest of the file doubtful stops the reading. Every line of the file is
in exactly one row or bad line, or blank.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO, TextIOWrapper
from itertools import islice
from pathlib import Path

from storage.errors import BadInput
from storage.scheme import Scheme
from storage.text import checked
from storage.texts.bad_lines import BadLine
from storage.texts.columns import Columns, find_columns
from storage.texts.encoding import decoded
from storage.texts.findings import Finding, Findings, unescaped
from storage.texts.moments import moment
from storage.texts.records import Form, Record, Records

LONGEST_SOURCE = 100
"""The stores keep so many characters of a source."""

_SAMPLE = 1_000


@dataclass(frozen=True, slots=True)
class CsvRow:
    """A usable row: its first and last line in the file (1-based), its text as it is stored, and what came with it."""

    line: int
    text: str
    label: str | None
    source: str | None = None
    published_at: datetime | None = None
    until: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class CsvReading:
    """The rows of a file in file order, repeats included, its bad lines, and what a person should know of the file."""

    rows: tuple[CsvRow, ...]
    bad_lines: tuple[BadLine, ...]
    notes: tuple[str, ...] = ()


class Table:
    """The columns of a CSV and its records in file order; a record that cannot be used has a fault."""

    def __init__(self, path: Path, scheme: Scheme | None) -> None:
        """Raises BadInput, naming file, line and cure, where the file cannot be read as a CSV with a column `text`."""
        self._path = path
        self._records = Records(_lines(path))
        try:
            header = self._records.header()
            names = header.fields if header else ()
            # The labels decide what a record is, and a few records decide which column the labels are.
            sample = list(islice(self._records.rest(Form(len(names))), _SAMPLE))
            self.columns: Columns = find_columns(path, header, sample, scheme)
        except BadInput as error:
            raise self._named(error) from error
        self._form = Form(len(names), self.columns.label, scheme.knows if scheme else lambda said: True)

    def records(self) -> Iterator[Record]:
        """Every record below the first line. Raises BadInput where the file ends inside a quote."""
        try:
            for record in self._records.rest(self._form):
                yield self._judged(record)
        except BadInput as error:
            raise self._named(error) from error

    def raw(self, record: Record) -> str:
        """The record as it stands in the file."""
        return self._records.raw(record)

    def _judged(self, record: Record) -> Record:
        fault = record.fault
        if not fault and record.fields == self.columns.names:
            fault = "the names of the columns once more"
        elif not fault and len(record.fields) != len(self.columns.names):
            fault = f"{len(record.fields)} fields where the first line names {len(self.columns.names)} columns"
        return record if fault == record.fault else Record(record.line, record.until, record.fields, fault)

    def _named(self, error: BadInput) -> BadInput:
        said = str(error)
        return error if said.startswith(str(self._path)) else BadInput(f"{self._path}: {said}")


def read_texts(path: Path, scheme: Scheme | None, *, unescape: bool = False) -> CsvReading:
    """Read a whole CSV file: UTF-8, with or without a byte-order mark, its first line with the names of the columns.

    The scheme knows the spellings of the labels; an empty label is None. Without a scheme the column `label` is one of
    the columns that are not used. `unescape` reads HTML entities as characters. Raises BadInput, naming file, line and
    cure, where the file is missing, is not UTF-8, has no column `text` or one twice, ends inside a quote, or holds no
    usable row.
    """
    table = Table(path, scheme)
    rows: list[CsvRow] = []
    bad_lines: list[BadLine] = []
    findings = Findings()
    for record in table.records():
        try:
            rows.append(_row(record, table.columns, scheme, findings, unescape))
        except BadInput as error:
            bad_lines.append(BadLine(record.line, str(error), record.until))
    if not rows:
        first = f" Line {bad_lines[0].line}: {bad_lines[0].reason}." if bad_lines else ""
        raise BadInput(f"{path} holds no usable text.{first}")
    return CsvReading(tuple(rows), tuple(bad_lines), (*table.columns.notes, *findings.said()))


def _lines(path: Path) -> list[str]:
    """The lines of a file with their ends: LF, CR LF, or CR alone."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    content = decoded(path, data)
    # Not splitlines, which also splits at form feeds and other characters that a text may hold.
    return list(TextIOWrapper(BytesIO(content.encode()), encoding="utf-8", newline=""))


def _row(record: Record, columns: Columns, scheme: Scheme | None, findings: Findings, unescape: bool) -> CsvRow:
    """The record as a row. Raises BadInput with the reason where the record cannot be used."""
    if record.fault:
        raise BadInput(record.fault)
    came = unescaped(record.fields[columns.text]) if unescape else record.fields[columns.text]
    text = checked(came)
    said = record.fields[columns.label].strip() if columns.label is not None else ""
    label = scheme.label(said) if scheme and said else None
    findings.look(came, record.line)
    if record.until > record.line:
        findings.add(Finding.LINES, record.line)
    source, published = _source(record, columns, findings), _published(record, columns, findings)
    return CsvRow(record.line, text, label, source, published, record.until)


def _source(record: Record, columns: Columns, findings: Findings) -> str | None:
    said = " ".join(record.fields[columns.source].replace("\x00", " ").split()) if columns.source is not None else ""
    if len(said) > LONGEST_SOURCE:
        findings.add(Finding.SOURCE, record.line)
    return said[:LONGEST_SOURCE] or None


def _published(record: Record, columns: Columns, findings: Findings) -> datetime | None:
    said = record.fields[columns.published].strip() if columns.published is not None else ""
    if not said:
        return None
    try:
        found, zoned = moment(said)
    except BadInput:
        findings.add(Finding.NO_TIME, record.line)
        return None
    if not zoned:
        findings.add(Finding.NO_ZONE, record.line)
    return found
