"""Runs a model on rows whose true labels are known; every judgement starts from such an `Evaluation`.

Only running a model makes an `Evaluation`, so that no stored metric gets into a judgement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from storage.errors import BadInput
from storage.records import Row
from training.judge.metrics import Difference, Scores, paired_difference, score

if TYPE_CHECKING:  # it imports torch, which the form of the gate's policy does not need
    from training.model.classifier import Predicted, Probabilities


class Model(Protocol):
    """What can be judged: anything that predicts, in practice a Classifier."""

    def predict(self, texts: Sequence[str]) -> Predicted:
        """Logits and probabilities, a row for each text."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Texts with their true labels: the audit slice, or the test rows of the seed data."""

    texts: tuple[str, ...]
    truth: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.truth):
            raise BadInput(f"{len(self.truth)} labels for {len(self.texts)} texts")

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The predictions of a model for some examples: a label for each, and probabilities (texts, labels).

    The columns are in the order of `labels`.
    """

    texts: tuple[str, ...]
    truth: tuple[str, ...]
    predicted: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: Probabilities

    def __len__(self) -> int:
        return len(self.truth)

    def scores(self) -> Scores:
        """All metrics with their intervals; raises BadInput where there are no rows."""
        return score(self.truth, self.predicted, self.labels)

    def against(self, champion: Evaluation) -> Difference:
        """How much better this model is than the champion. Raises BadInput where the examples differ."""
        if self.truth != champion.truth:
            raise BadInput("two models are compared on different rows")
        return paired_difference(self.truth, champion.predicted, self.predicted, self.labels)


def examples(pairs: Iterable[tuple[str, str]]) -> Examples:
    """Examples from (text, truth) pairs."""
    listed = list(pairs)
    return Examples(tuple(text for text, _ in listed), tuple(truth for _, truth in listed))


def rows_as_examples(rows: Iterable[Row]) -> Examples:
    """Examples from rows of a dataset."""
    return examples((row.text, row.label) for row in rows)


def evaluate(model: Model, given: Examples) -> Evaluation:
    """Run the model on the examples."""
    said = model.predict(given.texts)
    return Evaluation(given.texts, given.truth, said.answers, said.labels, said.probabilities)
