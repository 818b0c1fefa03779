"""Finds in a CSV's first line which column is the text, the label, the source and the time of publication.

Nothing is passed over in silence: every column that is not read is named, and so is a label column of another name.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.errors import BadInput
from storage.scheme import Scheme
from storage.texts.records import Record

TEXT, LABEL, SOURCE, PUBLISHED = "text", "label", "source", "published_at"
LABEL_NAMES = ("labels", "sentiment", "class", "category", "target", "polarity", "annotation", "answer")
"""Other names of the label column. A column of such a name counts if most of its values are labels of the scheme."""

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, slots=True)
class Columns:
    """The names in the first line as they came, the places of the columns that are read, and what is to be said."""

    names: tuple[str, ...]
    text: int
    label: int | None = None
    source: int | None = None
    published: int | None = None
    notes: tuple[str, ...] = ()


def find_columns(path: Path, header: Record | None, sample: Sequence[Record], scheme: Scheme | None) -> Columns:
    """The columns of a file. `sample` are some of its records; without a scheme no labels are looked for.

    Raises BadInput, naming the cure, for a first line without one column `text`, with a column twice, or with another
    delimiter than the comma.
    """
    if header is None:
        raise BadInput(f"{path} is empty; its first line should name the columns `text` and, optionally, `label`.")
    if header.fault:
        raise BadInput(f"{path} has a first line that is {header.fault}.\nName the columns in it, separated by commas.")
    names = [name.replace("\ufeff", "").strip().lower() for name in header.fields]
    read = [TEXT, SOURCE, PUBLISHED] + ([LABEL] if scheme else [])
    if names.count(TEXT) != 1 or any(names.count(name) > 1 for name in read):
        raise BadInput(
            f"{path} needs one column `text` and at most one `label`, `source` and `published_at`; its first line "
            f"names: {', '.join(header.fields)}.\n{_cure(path, header.fields)}"
        )
    place = {name: names.index(name) for name in read if name in names}
    notes: list[str] = []
    if scheme and LABEL not in place:
        found, notes = _other_label(path, names, sample, scheme)
        if found is not None:
            place[LABEL] = found
    unused = [name.strip() or "(without a name)" for at, name in enumerate(header.fields) if at not in place.values()]
    if unused:
        notes.append(f"columns that are not used: {', '.join(unused)}")
    return Columns(header.fields, place[TEXT], place.get(LABEL), place.get(SOURCE), place.get(PUBLISHED), tuple(notes))


def _other_label(
    path: Path, names: Sequence[str], sample: Sequence[Record], scheme: Scheme
) -> tuple[int | None, list[str]]:
    """The place of a label column of another name, if there is one, and what is to be said of such columns."""
    shares = {at: _known(at, sample, scheme) for at in range(len(names)) if names[at] != TEXT}
    usual = [at for at in shares if names[at] in LABEL_NAMES and shares[at] > 0.5]
    if len(usual) > 1:
        raise BadInput(
            f"{path} has several columns that may hold the labels: {', '.join(names[at] for at in usual)}.\n"
            "Rename the right one to `label`."
        )
    if usual:
        return usual[0], [f"labels are read from the column `{names[usual[0]]}`"]
    said = [
        f"the column `{names[at]}` is not read as labels: few of its values are labels of the scheme"
        for at in shares
        if names[at] in LABEL_NAMES
    ]
    looks = [f"`{names[at]}`" for at, share in shares.items() if share == 1 and names[at] not in LABEL_NAMES]
    if looks:
        said.append(f"{' and '.join(looks)} may hold labels; rename the column to `label` to have it read")
    return None, said


def _known(at: int, sample: Sequence[Record], scheme: Scheme) -> float:
    """The share of labels of the scheme among a column's values."""
    values = [value for record in sample if at < len(record.fields) and (value := record.fields[at].strip())]
    return sum(map(scheme.knows, values)) / max(1, len(values))


def _cure(path: Path, fields: Sequence[str]) -> str:
    if fields[0].lower().startswith("sep="):
        return "Delete this line, which only Excel reads; the next one should name the columns."
    for delimiter, said in _DELIMITERS.items():
        parts = next(csv.reader([delimiter.join(fields) if len(fields) > 1 else fields[0]], delimiter=delimiter), [])
        if TEXT in [part.strip().lower() for part in parts] and len(parts) > len(fields):
            convert = "import csv, sys; csv.writer(sys.stdout).writerows(csv.reader(sys.stdin, delimiter={!r}))"
            return (
                f"The columns are separated by {said}; they must be separated by commas. Convert it: "
                f'`python3 -c "{convert.format(delimiter)}" < {path.name} > {path.stem}-commas{path.suffix}`.'
            )
    return "Rename the columns in the first line; they are separated by commas."
