"""Gives every text its prediction by the champion, so that select compares scores of one model only."""

from prefect import State, flow
from prefect.states import Completed

from flows import artifacts
from flows.steps.asking import ASKING_LEASE
from flows.steps.recover import RUN_LEASE
from flows.steps.rerank import rerank_open
from flows.steps.score import NO_CHAMPION, score_texts
from flows.wiring.parts import Parts, open_parts
from flows.wiring.policies import ScorePolicy
from storage.errors import Busy


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
        ranked = _rerank(parts, champion.version, policy.withdraw_above)
    return Completed(message=f"{scored.texts:,} texts scored by version {champion.version}{ranked}")


def _rerank(parts: Parts, version: str, withdraw_above: float | None) -> str:
    """Rank the open tasks, where there is a Label Studio; a run that asks meanwhile leaves this to the next score."""
    if not (parts.settings.label_studio_url and parts.settings.label_studio_token):
        return ""
    try:
        with parts.leases.hold(ASKING_LEASE, RUN_LEASE, wait=RUN_LEASE):
            stores = (parts.projects, parts.tasks, parts.texts)
            return rerank_open(parts.studio, *stores, parts.scheme, version, withdraw_above)
    except Busy as error:
        return f"; the open tasks keep their order until the next score: {error}"
