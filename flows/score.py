"""Gives every text its prediction by the champion, so that select compares scores of one model only."""

from prefect import State, flow
from prefect.states import Completed

from flows import artifacts
from flows.steps.candidate import NO_CHAMPION, champion_of
from flows.wiring.parts import Parts, open_parts
from flows.wiring.policies import ScorePolicy
from storage.clock import now
from storage.models.registry import ModelVersion
from storage.texts.paging import batches

PAGE = 1024
"""Texts between two writes: sorted by length inside, so that little is padding."""


@flow(name="score", log_prints=True)
def score(policy: ScorePolicy = ScorePolicy()) -> State[None]:  # noqa: B008 (a frozen default is what the form shows)
    """Predict every text that the champion has not scored yet."""
    with open_parts() as parts:
        champion = champion_of(parts)
        if champion is None:
            return Completed(message=NO_CHAMPION)
        scored = score_texts(parts, champion, policy, artifacts.Progress("score", "texts scored by the champion"))
        artifacts.show_scores(parts.texts.counts(), champion)
    return Completed(message=f"{scored:,} texts scored by version {champion.version}")


def score_texts(
    parts: Parts, champion: ModelVersion, policy: ScorePolicy, progress: "artifacts.Progress | None" = None
) -> int:
    """Write a prediction for each text whose newest is not by the champion; returns how many."""
    from training.model.classifier import Classifier, to_predictions

    model = Classifier.load(parts.registry.folder(champion.version), parts.scheme.names)
    counts = parts.texts.counts()
    due = max(1, counts.texts - counts.predicted.get(champion.version, 0))
    done = 0
    for page in batches(parts.texts.unscored(champion.version), PAGE):
        predicted = model.predict([text.text for text in page], batch_size=policy.batch_size)
        predictions = to_predictions(predicted, champion.version, now())
        done += parts.texts.record_predictions(zip((text.text_id for text in page), predictions, strict=True))
        if progress is not None:
            progress(done / due, f"{done:,} of {due:,}")
    return done
