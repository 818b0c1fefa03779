"""Puts production texts from a file into the text store; labels that came with them are handed back to the caller."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from storage.clock import now
from storage.text import text_id
from storage.texts.bad_lines import BadLine
from storage.texts.csv import LONGEST_SOURCE, CsvReading
from storage.texts.intake import Intake
from storage.texts.store import Added, TextStore

CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Ingested:
    """The counts of an ingest: `audit` are texts in the audit share, `labelled` are texts with a label.

    `notes` are sentences about the file for a person.
    """

    new: int
    known: int
    audit: int
    labelled: int
    bad_lines: tuple[BadLine, ...]
    notes: tuple[str, ...] = ()


def ingest(
    reading: CsvReading,
    source: str,
    texts: TextStore,
    intake: Intake,
    keep: Callable[[Mapping[str, str]], None],
    progress: Callable[[float], None] = lambda fraction: None,
) -> Ingested:
    """Store the texts of a file, each once. `keep` gets the file's labels by text id before any text is stored.

    `source` is the source of rows that name none. A text with two labels in the file has none.
    """
    moment = now()
    found = {
        text.text_id: text
        for text in (
            intake.text(row.text, row.source or source[:LONGEST_SOURCE], moment, row.published_at)
            for row in reversed(reading.rows)  # the first of several rows of a text counts
        )
    }
    given: defaultdict[str, set[str]] = defaultdict(set)
    for row in reading.rows:
        if row.label is not None:
            given[text_id(row.text)].add(row.label)
    labels = {identity: said.pop() for identity, said in given.items() if len(said) == 1}
    keep(labels)
    coming, new, known = list(found.values())[::-1], 0, 0
    for start in range(0, len(coming), CHUNK):
        added: Added = texts.add(coming[start : start + CHUNK])
        new, known = new + added.new, known + added.known
        progress(min(1.0, (start + CHUNK) / len(coming)))
    torn = len(given) - len(labels)
    notes = (*reading.notes, *([f"texts with two labels in the file, of which none is kept: {torn}"] if torn else ()))
    return Ingested(new, known, sum(text.audit for text in coming), len(labels), reading.bad_lines, notes)
