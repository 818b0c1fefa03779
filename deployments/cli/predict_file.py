"""Predicts for the rows of a CSV: a row comes out for every row that came, in order, as it came.

What cannot be scored has empty scores and a reason. No column of the file is ever replaced.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.cli.offline import find_model, predict_offline
from flows.steps.train import Progress
from storage.errors import BadInput
from storage.text import checked
from storage.texts.csv import Table
from storage.texts.findings import Finding, Findings, unescaped
from storage.texts.records import Record

REASON = "reason"


@dataclass(frozen=True, slots=True)
class FilePredictions:
    """The rows by column name, and sentences about the file for a person."""

    rows: list[dict[str, Any]]
    notes: tuple[str, ...]


def predict_file(path: Path, model: str, progress: Progress, *, unescape: bool = False) -> FilePredictions:
    """Score the column `text` of a CSV; `unescape` has the model see HTML entities as characters.

    Where the file has a column of the name of one of ours, all of ours get the prefix `predicted_`, or `predicted_2_`
    and so on. The fields of a record with too few stay in their columns; a record with too many, or that is not CSV,
    comes out as it stands in the file, in the column of the text.
    Raises BadInput for a file that cannot be read or has no row.
    """
    table = Table(path, None)
    records = list(table.records())
    if not records:
        raise BadInput(f"{path} holds no row below its first line.")
    findings = Findings()
    judged = [_judged(record, table, findings, unescape) for record in records]
    found = iter(predict_offline([text for text, reason in judged if not reason], model, progress))
    ours = ["label", *find_model(model)[2].names, "confidence", "model_version", REASON]
    names = _distinct(table.columns.names)
    prefix = _prefix(names, ours)
    rows = []
    for record, (_, reason) in zip(records, judged, strict=True):
        scores = {} if reason else next(found)
        said = {name: scores.get(name) for name in ours} | {REASON: reason or None}
        came = dict(zip(names, _fields(record, table), strict=True))
        rows.append({**came, **{prefix + name: value for name, value in said.items()}})
    notes = [*findings.said()]
    if unscored := sum(bool(reason) for _, reason in judged):
        notes.append(f"{unscored:,} of {len(rows):,} rows have no scores; the column {prefix}{REASON} says why")
    if prefix:
        notes.append(f"the file has columns of the names of ours, which are called {prefix}label and so on")
    if names != list(table.columns.names):
        notes.append(f"columns of one name got numbers: {', '.join(names)}")
    return FilePredictions(rows, tuple(notes))


def _judged(record: Record, table: Table, findings: Findings, unescape: bool) -> tuple[str, str]:
    """The text that the model sees, and why there is none."""
    if record.fault:
        return "", record.fault
    came = record.fields[table.columns.text]
    try:
        text = checked(unescaped(came) if unescape else came)
    except BadInput as error:
        return "", str(error)
    findings.look(unescaped(came) if unescape else came, record.line)
    if record.until > record.line:
        findings.add(Finding.LINES, record.line)
    return text, ""


def _fields(record: Record, table: Table) -> Sequence[str]:
    """The fields as they came. A record with more fields than columns is whole in the place of the text."""
    if 0 < len(record.fields) <= len(table.columns.names):
        return [*record.fields, *[""] * (len(table.columns.names) - len(record.fields))]
    return [table.raw(record) if at == table.columns.text else "" for at in range(len(table.columns.names))]


def _distinct(names: Sequence[str]) -> list[str]:
    """The names as they came; the second of one name gets the number 2."""
    found: list[str] = []
    for name in names:
        number, one = 1, name
        while one in found or (number > 1 and one in names):
            number += 1
            one = f"{name}_{number}"
        found.append(one)
    return found


def _prefix(names: Sequence[str], ours: Sequence[str]) -> str:
    """The first prefix with which none of our columns has the name of a column of the file, in any case."""
    taken = {name.strip().lower() for name in names}
    number, prefix = 1, ""
    while any((prefix + name).lower() in taken for name in ours):
        prefix = "predicted_" if number == 1 else f"predicted_{number}_"
        number += 1
    return prefix
