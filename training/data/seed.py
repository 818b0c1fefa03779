"""Reads the seed data: labelled texts that exist before any annotator is asked.

The first model trains on seed data alone, and their test rows test every model. Seed data are the Financial PhraseBank
or a labelled CSV, identified by the hash of the file.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.errors import BadInput, Part
from storage.records import Parent, ParentKind
from storage.scheme import Scheme
from storage.text import checked
from storage.texts.bad_lines import BadLine
from storage.texts.csv import read_texts
from training.data.phrasebank import read_groups, read_sentences, split_line

CSV_GROUPS = ".clusters.csv"
"""Optional, beside seed.csv as seed.clusters.csv: `text_id,cluster`, for texts that must stay in one split."""


@dataclass(frozen=True, slots=True)
class SeedRow:
    """A labelled text and its 1-based line in the file."""

    line: int
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class SeedData:
    """The content of one file: `source` is its name for people, `sha256` its hash.

    `groups` maps text ids to the group that must stay in one split; the samples have groups. `notes` are sentences
    about the file for a person.
    """

    rows: tuple[SeedRow, ...]
    bad_lines: tuple[BadLine, ...]
    sha256: str
    source: str
    groups: Mapping[str, str]
    kind: ParentKind
    notes: tuple[str, ...] = ()

    def parent(self, policy: str) -> Parent:
        """These data as a parent of the datasets that a merge policy (its hash) splits."""
        return Parent(self.kind, self.source, self.sha256, policy, origin=self.kind)


def read_seed(path: Path, agreement: int, scheme: Scheme, *, unescape: bool = False) -> SeedData:
    """Read the PhraseBank at an agreement level from a folder, or a CSV with the columns text and label from a file.

    A line that cannot be used becomes a bad line; `unescape` reads the HTML entities of a CSV as characters. Raises
    BadInput for a file that is missing, that has another format, or whose usable rows have fewer than two labels.
    """
    is_csv = path.is_file() or path.suffix.lower() == ".csv"
    read = _read_csv(path, scheme, unescape) if is_csv else _read_phrasebank(path, agreement, scheme)
    present = sorted({row.label for row in read.rows})
    if len(present) < 2:
        form = "columns text,label" if is_csv else "lines sentence@label, in latin-1"
        only = f"only rows of the label {present[0]}" if present else f"no labelled row that can be used ({form})"
        first = f" Line {read.bad_lines[0].line}: {read.bad_lines[0].reason}." if read.bad_lines else ""
        raise BadInput(f"{path} holds {only}; a training needs two labels.{first}", Part.SEED_DATA)
    return read


def _read_phrasebank(folder: Path, agreement: int, scheme: Scheme) -> SeedData:
    file = read_sentences(folder, agreement)
    rows: list[SeedRow] = []
    bad_lines: list[BadLine] = []
    for number, line in file.lines:
        try:
            sentence, said = split_line(line)
            rows.append(SeedRow(number, checked(sentence), scheme.label(said)))
        except BadInput as reason:
            bad_lines.append(BadLine(number, str(reason)))
    source = f"{file.path.parent.name}/{file.path.name}, agreement {agreement}"
    return SeedData(tuple(rows), tuple(bad_lines), file.sha256, source, file.groups, ParentKind.PHRASEBANK)


def _read_csv(path: Path, scheme: Scheme, unescape: bool) -> SeedData:
    reading = read_texts(path, scheme, unescape=unescape)
    unlabelled = [BadLine(row.line, "the label is empty", row.until) for row in reading.rows if row.label is None]
    rows = tuple(SeedRow(row.line, row.text, row.label) for row in reading.rows if row.label is not None)
    bad_lines = tuple(sorted([*reading.bad_lines, *unlabelled], key=lambda bad: bad.line))
    sha256, groups = hashlib.sha256(path.read_bytes()).hexdigest(), read_groups(path.with_suffix(CSV_GROUPS))
    return SeedData(rows, bad_lines, sha256, path.name, groups, ParentKind.CSV, reading.notes)
