"""The narrow door to production texts; SQL and Elasticsearch pass the same contract tests behind it.

Readers are iterators that page inside, so that a caller takes what it needs and skips what is reserved.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from storage.records import Prediction, Text


@dataclass(frozen=True, slots=True)
class Added:
    """What an ingest did: texts that were new, and texts that were there already (left as they were)."""

    new: int
    known: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many texts there are, how many are set aside for the audit, how many each model version predicted last."""

    texts: int
    audit: int
    predicted: dict[str, int]


class TextStore(Protocol):
    """Where production texts and their newest predictions lie."""

    def describe(self) -> str:
        """The store as reports name it: `sqlite`, `postgresql` or `elasticsearch 8.19.5`."""

    def add(self, texts: Iterable[Text]) -> Added:
        """Store texts that are not there yet; a known text id is left untouched, audit flag and prediction included."""

    def record_predictions(self, predictions: Iterable[tuple[str, Prediction]]) -> int:
        """Put each prediction in place of its text's last one; unknown ids are left out. Returns how many were set."""

    def get(self, text_ids: Collection[str]) -> dict[str, Text]:
        """The texts with these ids; ids that are not stored are missing from the answer."""

    def unscored(self, model_version: str) -> Iterator[Text]:
        """Every text whose newest prediction is not by this version, each once."""

    def lowest_margin(self, model_version: str) -> Iterator[Text]:
        """Texts outside the audit share, predicted by this version, by ascending margin, ties by text id."""

    def random_audit(self, seed: int) -> Iterator[Text]:
        """Every text of the audit share, each once, in a random order that the seed fixes."""

    def counts(self) -> Counts:
        """The counts as of now, everything written before included."""

    def close(self) -> None:
        """Let go of connections."""
