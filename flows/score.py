"""Gives every text its prediction by the champion, so that select compares scores of one model only."""

import itertools
import time
from collections.abc import Iterator

from prefect import flow

from flows import artifacts, wiring
from flows.candidate import champion_of
from flows.policies import ScorePolicy
from storage.clock import now
from storage.errors import BadInput
from storage.records import Text

PAGE = 1024
"""Texts between two writes: sorted by length inside, so that little is padding."""


@flow(name="score", log_prints=True)
def score(policy: ScorePolicy = ScorePolicy()) -> int:  # noqa: B008 (a frozen default is what the form shows)
    """Predict every text that the champion has not scored yet."""
    with wiring.parts() as parts:
        scored = score_texts(parts, policy, artifacts.Progress("score", "texts scored by the champion"))
        artifacts.scores(parts.texts.counts(), champion_of(parts))
    return scored


def score_texts(parts: wiring.Parts, policy: ScorePolicy, progress: "artifacts.Progress | None" = None) -> int:
    """Write a prediction for each text whose newest is not by the champion; returns how many.

    Raises BadInput while there is no champion.
    """
    from training.classifier import Classifier, to_predictions

    champion = champion_of(parts)
    if champion is None:
        raise BadInput("there is no champion to score with yet; run `finloop retrain` first")
    model = Classifier.load(parts.registry.folder(champion.version))
    counts = parts.texts.counts()
    due = max(1, counts.texts - counts.predicted.get(champion.version, 0))
    done, started = 0, time.monotonic()
    for page in _pages(parts.texts.unscored(champion.version)):
        predicted = model.predict([text.text for text in page], batch_size=policy.batch_size)
        predictions = to_predictions(predicted, champion.version, now())
        done += parts.texts.record_predictions(zip((text.text_id for text in page), predictions, strict=True))
        if progress is not None:
            progress(done / due, f"{done:,} of {due:,}")
    print(f"scored {done:,} texts in {time.monotonic() - started:.1f} s with version {champion.version}")  # noqa: T201
    return done


def _pages(texts: Iterator[Text]) -> Iterator[list[Text]]:
    while page := list(itertools.islice(texts, PAGE)):
        yield page
