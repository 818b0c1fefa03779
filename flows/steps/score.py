"""Gives every text its prediction by the champion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from storage.clock import now
from storage.models.registry import ModelVersion, Registry
from storage.texts.paging import batches
from storage.texts.store import TextStore

NO_CHAMPION = "there is no champion yet: `finloop retrain` trains the first, from the seed data alone"
PAGE = 1024
"""Texts between two writes. The model sorts them by length, so that few tokens are padding."""


def is_behind(texts: TextStore, version: str, share: float) -> bool:
    """Whether more than this share of the texts has no score by this version, as after a promotion."""
    counts = texts.counts()
    return counts.texts - counts.predicted.get(version, 0) > share * counts.texts


@dataclass(frozen=True, slots=True)
class Scored:
    """How many texts a run scored, and how many of them the model read only in part."""

    texts: int
    truncated: int


def score_texts(
    texts: TextStore,
    registry: Registry,
    champion: ModelVersion,
    labels: Sequence[str],
    batch_size: int,
    progress: Callable[[float, str], None] | None = None,
) -> Scored:
    """Predict each text that the champion did not score last, and store the predictions."""
    from training.model.classifier import Classifier, to_predictions

    model = Classifier.load(registry.folder(champion.version), labels)
    counts = texts.counts()
    due = max(1, counts.texts - counts.predicted.get(champion.version, 0))
    done = truncated = 0
    for page in batches(texts.unscored(champion.version), PAGE):
        predicted = model.predict([text.text for text in page], batch_size=batch_size)
        predictions = to_predictions(predicted, champion.version, now())
        done += texts.record_predictions(zip((text.text_id for text in page), predictions, strict=True))
        truncated += int(predicted.truncated.sum())
        if progress is not None:
            progress(done / due, f"{done:,} of {due:,}")
    return Scored(done, truncated)
