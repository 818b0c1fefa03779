"""Asks annotators about the texts that a query strategy finds worth a label, and shows them the champion's answers.

Before there is a champion, annotators are asked only where the wished strategy needs none, and are shown no answer.
"""

from prefect import State, flow
from prefect.states import Completed

from flows import artifacts
from flows.steps import asking
from flows.steps.arrays import Reader
from flows.steps.base_reader import FIRST, BaseReader
from flows.steps.choice import Wish
from flows.steps.recover import RUN_LEASE
from flows.steps.score import is_behind, score_texts
from flows.wiring.parts import Parts, open_parts
from flows.wiring.policies import ScorePolicy, SelectPolicy
from labeling.ask.pool import Strategy
from labeling.ask.strategies.registry import find_strategy
from storage.records import Purpose


@flow(name="select", log_prints=True)
def select(policy: SelectPolicy = SelectPolicy()) -> State[None]:  # noqa: B008 (a frozen default is what the form shows)
    """Send what the strategy chooses to annotators; unscored texts are scored first, as after a promotion."""
    with open_parts() as parts:
        strategy = find_strategy(policy.strategy or parts.settings.strategy)
        champion = parts.registry.champion()
        if champion is None:
            return _without_champion(parts, policy, strategy)
        if is_behind(parts.texts, champion.version, policy.unscored_share):
            progress = artifacts.Progress("select-score", "texts scored by the champion before the choice")
            names, size = parts.scheme.names, ScorePolicy().batch_size
            score_texts(parts.texts, parts.registry, champion, names, size, progress)
        with parts.leases.hold(asking.ASKING_LEASE, RUN_LEASE, wait=5 * RUN_LEASE):
            project = asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)
            reader = Reader(champion, parts.registry, parts.datasets, parts.embeddings)
            size, fewer = asking.due(policy.size, champion if policy.fewer_when_stable else None)
            wish = Wish(size, strategy, policy.rules, policy.seed)
            asked = asking.ask_to_learn(parts.studio, project, parts.texts, parts.tasks, parts.scheme, reader, wish)
            artifacts.show_sent(Purpose.SELECT, asked.sent, project.url, asked.strategy, asked.left_out)
            if asked.sent or asked.open_before >= size:
                return Completed(message=asked.said(project.url) + fewer)
            return Completed(message=asking.why_nothing(parts.texts, champion.version))


def _without_champion(parts: Parts, policy: SelectPolicy, strategy: Strategy) -> State[None]:
    """Send typical or random texts to annotators, where that is wished. A schedule never fails in a new home."""
    if strategy.name not in FIRST:
        return Completed(message=asking.NO_DOUBTS)
    if not parts.texts.counts().texts:
        return Completed(message=asking.NOTHING_YET)
    with parts.leases.hold(asking.ASKING_LEASE, RUN_LEASE, wait=5 * RUN_LEASE):
        project = asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)
        seed = [row.text for row in parts.seed.rows]
        reader = BaseReader(parts.base_model, parts.scheme.names, seed, parts.embeddings)
        wish = Wish(policy.size, strategy, policy.rules, policy.seed)
        asked = asking.ask_first(parts.studio, project, parts.texts, parts.tasks, parts.scheme, reader, wish)
        artifacts.show_sent(Purpose.SELECT, asked.sent, project.url, asked.strategy, asked.left_out)
        return Completed(message=asking.said_first(asked, project.url))
