"""Gives every text its prediction by the champion, so that select compares scores of one model only."""

from prefect import State, flow
from prefect.states import Completed

from flows import artifacts
from flows.steps.score import NO_CHAMPION, score_texts
from flows.wiring.parts import open_parts
from flows.wiring.policies import ScorePolicy


@flow(name="score", log_prints=True)
def score(policy: ScorePolicy = ScorePolicy(), event: str | None = None) -> State[None]:  # noqa: B008
    """Predict every text that the champion has not scored yet."""
    with open_parts() as parts:
        champion = parts.registry.champion()
        if champion is None:
            return Completed(message=NO_CHAMPION)
        progress = artifacts.Progress("score", "texts scored by the champion")
        names, size = parts.scheme.names, policy.batch_size
        scored = score_texts(parts.texts, parts.registry, champion, names, size, progress, fast=policy.fast)
        artifacts.show_scores(parts.texts.counts(), champion, scored)
    return Completed(message=f"{scored.texts:,} texts scored by version {champion.version}")
