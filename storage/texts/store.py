"""The contract of a store of production texts. The SQL store and the Elasticsearch store pass the same tests.

Readers are iterators that load page by page, so that a caller takes what it needs and skips reserved texts.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from storage.records import Prediction, Text

NO_VERSION = ""
"""No model version has this name, so that every text is unscored by it."""


@dataclass(frozen=True, slots=True)
class Added:
    """How many texts were new, and how many were known and stayed unchanged."""

    new: int
    known: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many texts there are, how many are set aside for the audit, how many each model version predicted last."""

    texts: int
    audit: int
    predicted: dict[str, int]


class TextStore(Protocol):
    """A store of production texts with their newest predictions."""

    def describe(self) -> str:
        """The store as reports name it: `sqlite`, `postgresql` or `elasticsearch 8.19.5`."""

    def add(self, texts: Iterable[Text]) -> Added:
        """Store the new texts. A text with a known id stays unchanged, its audit flag and prediction too."""

    def record_predictions(self, predictions: Iterable[tuple[str, Prediction]]) -> int:
        """Replace the predictions of texts; unknown ids are left out. Returns how many predictions were stored."""

    def get(self, text_ids: Collection[str]) -> dict[str, Text]:
        """Text id -> text for these ids; unknown ids are left out."""

    def unscored(self, model_version: str) -> Iterator[Text]:
        """Every text whose newest prediction is not by this version, each once, by ascending text id.

        Text ids are hashes, so any first n are a random sample.
        """

    def lowest_margin(self, model_version: str) -> Iterator[Text]:
        """Texts outside the audit share, predicted by this version, by ascending margin, ties by text id."""

    def random_texts(self, model_version: str, seed: int) -> Iterator[Text]:
        """Texts outside the audit share, predicted by this version, each once, in an order that the seed fixes.

        The order is that of the text ids, which are hashes, from a random one on and around: any first n are a random
        sample, every store draws the same, and nothing is sorted that an index does not hold. The samples of two seeds
        may overlap.
        """

    def random_audit(self, seed: int) -> Iterator[Text]:
        """Every text of the audit share, each once, in a random order that the seed fixes."""

    def counts(self) -> Counts:
        """The counts, with every earlier write included."""

    def close(self) -> None:
        """Close the store's own connections."""
