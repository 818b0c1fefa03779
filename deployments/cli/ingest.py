"""Production texts from a file into the text store; labels that came with them go to the stand-in's answer key."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deployments.demo.annotator import AnswerKey
from flows.wiring.parts import Parts
from storage.clock import now
from storage.records import Sentiment, Text
from storage.text import in_audit, normalise, text_id
from storage.texts.bad_lines import Problem
from storage.texts.csv import CsvReading, read_texts
from storage.texts.store import Added

CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingest did; `problems` names the lines that were left out, `labelled` counts answers for the key."""

    new: int
    known: int
    audit: int
    labelled: int
    problems: tuple[Problem, ...]


def ingest(parts: Parts, path: Path, progress: Callable[[float], None] = lambda fraction: None) -> Ingested:
    """Store the texts of a CSV file. Raises BadInput before anything is written where the file cannot be used."""
    reading = read_texts(path, parts.scheme)
    texts = list(_texts(parts, reading, path.stem))
    key = {text_id(row.text): Sentiment(row.label) for row in reading.rows if row.label is not None}
    store = parts.texts  # opened before the key is written: a store that is not there must leave nothing behind
    AnswerKey(parts.settings.home).add(key)
    new = known = 0
    for start in range(0, len(texts), CHUNK):
        added: Added = store.add(texts[start : start + CHUNK])
        new, known = new + added.new, known + added.known
        progress(min(1.0, (start + CHUNK) / len(texts)))
    return Ingested(new, known, sum(text.audit for text in texts), len(key), reading.problems)


def _texts(parts: Parts, reading: CsvReading, source: str) -> Iterator[Text]:
    moment, settings, seen = now(), parts.settings, set()
    for row in reading.rows:
        identity = text_id(row.text)
        if identity in seen:
            continue
        seen.add(identity)
        audit = in_audit(identity, settings.audit_salt, settings.audit_share)
        yield Text(identity, normalise(row.text), source, audit, moment)
