"""Records of a CSV file, each with its lines: what a stray quote or a giant field does ends within the record.

Python's reader knows the format. What it does not know is where to go on after an error, and whether a quoted field
that spans lines is one text or several rows between two stray quotes. Both are decided here by the lines themselves: a
line that is a complete record by itself is no piece of a text.
"""

import csv
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from storage.errors import BadInput

_FIELD_LIMIT = 2**31 - 1
"""No field of a file in memory is longer. Python's own limit, 131,072, would leave the reader within the field."""

_LOOKED_AT = 200
"""So many lines tell whether a doubtful stretch is made of records."""

_CLOSING = re.compile(r'"\s*(,|$)')
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}\b)")


@dataclass(frozen=True, slots=True)
class Record:
    """The fields of the lines `line` to `until` (1-based), or none and the `fault` for which they were left out."""

    line: int
    until: int
    fields: tuple[str, ...]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """What a complete record looks like: how many fields, and which of them is a label that `knows` accepts."""

    fields: int
    label: int | None = None
    knows: Callable[[str], bool] = lambda said: True


class Records:
    """The records of a file's lines, which keep their line ends. Blank lines are no records."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines, self._at = lines, 0
        csv.field_size_limit(_FIELD_LIMIT)  # for the whole process, whose other files are our own

    def header(self) -> Record | None:
        """The first record, or None where there is none. Raises BadInput where a quote in it stays open."""
        for record in self._read(None):
            self._at = record.until
            return record
        return None

    def rest(self, form: Form) -> Iterator[Record]:
        """Every record after those that were given. Raises BadInput where the file ends inside a quote."""
        return self._read(form)

    def raw(self, record: Record) -> str:
        """The record as it stands in the file, without its last line end."""
        return "".join(self._lines[record.line - 1 : record.until]).rstrip("\r\n")

    def _read(self, form: Form | None) -> Iterator[Record]:
        at = start = self._at
        reader = self._reader(start)
        while True:
            fault, fields = "", []
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end of data" in str(error):
                    raise BadInput(
                        f"the file ends inside a quote that opens in the record of line {at + 1}.\n"
                        "Close it, or double quotes that belong to a text."
                    ) from error
                fault = f"not readable as CSV{{}}: {error}"
            until = start + reader.line_num
            if fault:
                until = self._after_error(at, until, form)
                start, reader = until, self._reader(until)
            elif form and until - at > 1 and self._merges(at, until, form):
                fault = (
                    "a quote joins these lines{}, which are complete records by themselves; "
                    "close the quote, or double quotes that belong to a text"
                )
            if fault:
                yield Record(at + 1, until, (), fault.format(f", up to line {until}" if until - at > 1 else ""))
            elif fields:
                yield Record(at + 1, until, tuple(fields))
            at = until

    def _reader(self, start: int):  # type: ignore[no-untyped-def]  # csv names the type only from Python 3.13 on
        return csv.reader((self._lines[each] for each in range(start, len(self._lines))), strict=True)

    def _after_error(self, at: int, until: int, form: Form | None) -> int:
        """Where to go on after an error: behind the line that may close the quote, unless records lie before it.

        A field may go on after the error, and its pieces must not become texts.
        """
        odd = sum(line.count('"') for line in self._lines[at:until]) % 2
        if form is None or (not odd and (form.fields == 1 or _alone(self._lines[until - 1], form))):
            return until
        place = bisect_left(self._odd_lines, until)
        closing = self._odd_lines[place] if place < len(self._odd_lines) else None
        if closing is None or not _CLOSING.search(self._lines[closing].rstrip("\r\n")):
            return until
        between = self._lines[until : min(closing, until + _LOOKED_AT)]
        records = sum(_alone(line, form) for line in between) if form.fields > 1 else 0
        return until if between and records > len(between) / 2 else closing + 1

    @cached_property
    def _odd_lines(self) -> list[int]:
        return [place for place, line in enumerate(self._lines) if line.count('"') % 2]

    def _merges(self, at: int, until: int, form: Form) -> bool:
        """Whether the lines of a record are records by themselves, so that two stray quotes made one of them.

        A known label at the end of a line inside the quotes says so at once. Without labels every line must be complete
        and the columns must look alike, because prose has commas too, and 1,000 has one.
        """
        lines = self._lines[at:until]
        if form.fields == 1 or not _alone(lines[0], form) or not _alone(lines[-1], form):
            return False
        if form.label is not None:
            return bool(_split(lines[0])[form.label].strip())
        split = [_split(_THOUSANDS.sub("", line)) for line in lines]
        if any(len(fields) != form.fields for fields in split):
            return False
        kinds = [{_kind(field) for field in column} - {""} for column in zip(*split, strict=True)]
        return sum(len(kind) == 1 for kind in kinds) == form.fields and not any(
            field.startswith(" ") for fields in split for field in fields[1:]
        )


def _alone(line: str, form: Form) -> bool:
    """Whether a line is a complete record by itself."""
    fields = _split(line)
    if len(fields) != form.fields:
        return False
    label = fields[form.label].strip() if form.label is not None else ""
    return not label or form.knows(label)


def _split(line: str) -> list[str]:
    """The fields of one line; an unpaired quote is a character like any other."""
    line = line.rstrip("\r\n")
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error:
        return next(csv.reader([line], quoting=csv.QUOTE_NONE), [])


def _kind(field: str) -> str:
    """What a field looks like: an address, a number or time, words, or nothing."""
    said = field.strip().strip('"')
    if not said:
        return ""
    if "://" in said:
        return "address"
    return "number" if re.fullmatch(r"[\d.:/TZ+-]+", said) else "words"
