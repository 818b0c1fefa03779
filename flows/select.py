"""Asks annotators about the texts that a query strategy finds worth a label, and shows them the champion's answers.

Before there is a champion, annotators are asked only where the wished strategy needs none, and are shown no answer.
"""

from prefect import State, flow
from prefect.states import Completed

from flows import artifacts
from flows.steps import asking
from flows.steps.arrays import Reader
from flows.steps.base_reader import BaseReader
from flows.steps.choice import Wish
from flows.steps.recover import RUN_LEASE
from flows.steps.score import is_behind, score_texts
from flows.wiring.parts import Parts, open_parts
from flows.wiring.policies import ScorePolicy, SelectPolicy
from labeling.ask.strategies.registry import find_strategy
from storage.models.registry import ModelVersion
from storage.records import Purpose
from storage.texts.store import TextStore


@flow(name="select", log_prints=True)
def select(policy: SelectPolicy = SelectPolicy()) -> State[None]:  # noqa: B008 (a frozen default is what the form shows)
    """Send what the strategy chooses to annotators; unscored texts are scored first, as after a promotion."""
    with open_parts() as parts:
        strategy = find_strategy(policy.strategy or parts.settings.strategy)
        champion = parts.registry.champion()
        if champion is None and (early := asking.too_early(parts.texts, strategy)):
            return Completed(message=early)
        if champion is not None and is_behind(parts.texts, champion.version, policy.unscored_share):
            _score(parts, champion)
        size, fewer = asking.due(policy.size, champion if policy.fewer_when_stable else None)
        wish = Wish(size, strategy, policy.rules, policy.seed)
        with parts.leases.hold(asking.ASKING_LEASE, RUN_LEASE, wait=5 * RUN_LEASE):
            project = asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)
            reader = _reader(parts, champion)
            asked = asking.ask_to_learn(parts.studio, project, parts.texts, parts.tasks, parts.scheme, reader, wish)
            artifacts.show_sent(Purpose.SELECT, asked.sent, project.url, asked.strategy, asked.left_out)
            return Completed(message=_said(parts.texts, champion, asked, project.url, size, fewer))


def _score(parts: Parts, champion: ModelVersion) -> None:
    """Have the champion score what it has not scored, as the flow `score` does."""
    progress = artifacts.Progress("select-score", "texts scored by the champion before the choice")
    score_texts(parts.texts, parts.registry, champion, parts.scheme.names, ScorePolicy().batch_size, progress)


def _reader(parts: Parts, champion: ModelVersion | None) -> Reader | BaseReader:
    """What reads the texts for the strategy: the champion, or the base model before there is one."""
    if champion is not None:
        return Reader(champion, parts.registry, parts.datasets, parts.embeddings)
    seed = [row.text for row in parts.seed.rows]
    return BaseReader(parts.base_model, parts.scheme.names, seed, parts.embeddings)


def _said(texts: TextStore, champion: ModelVersion | None, asked: asking.Asked, url: str, size: int, fewer: str) -> str:
    """The run's message: what was sent, or else why nothing was."""
    if champion is None:
        return asking.said_first(asked, url)
    if asked.sent or asked.open_before >= size:
        return asked.said(url) + fewer
    return asking.why_nothing(texts, champion.version)
