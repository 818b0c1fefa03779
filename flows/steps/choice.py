"""Chooses and reserves the texts to learn from: by the champion's scores, or by the base model before there is one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from flows.steps.arrays import Reader, arrays, within_reach
from flows.steps.aside import open_aside
from flows.steps.base_reader import BaseReader, strategy_and_arrays
from labeling.ask.batch import Batch, choose
from labeling.ask.candidates import Candidates, gather, gather_first
from labeling.ask.compose import Composition, compose
from labeling.ask.language import Written
from labeling.ask.pool import Pool, Positions, Strategy
from labeling.ask.rules import BatchRules
from storage.labels.tasks import Tasks
from storage.scheme import Scheme
from storage.texts.store import TextStore


@dataclass(frozen=True, slots=True)
class Wish:
    """How many texts shall wait for an answer, and how they are chosen; `seed` fixes all chance."""

    size: int
    strategy: Strategy
    rules: BatchRules = field(default_factory=BatchRules)
    seed: int = 0

    def draw(self, asked: int) -> np.random.Generator:
        """The chance of one select. Each draws anew: the number of texts that were asked about is part of its seed."""
        return np.random.default_rng([self.seed, asked])


def reserve(
    texts: TextStore, tasks: Tasks, scheme: Scheme, reader: Reader | BaseReader, wish: Wish, size: int
) -> Batch:
    """Reserve at most `size` texts: by the champion's scores, or by the base model before there is a champion."""
    if isinstance(reader, Reader):
        return _by_champion(texts, tasks, scheme, reader, wish, size)
    return _by_base_model(texts, tasks, reader, wish, size)


def _by_champion(texts: TextStore, tasks: Tasks, scheme: Scheme, reader: Reader, wish: Wish, size: int) -> Batch:
    """Reserve what the strategy chooses by the champion's scores, after the rules for what the champion has learnt."""
    draw = wish.draw(len(tasks.asked()))
    seed = int(draw.integers(2**31))
    found = gather(texts, tasks, scheme.names, reader.champion.version, seed)
    candidates = within_reach(found, wish.strategy.needs)
    pool = arrays(candidates, wish.strategy.needs, scheme.names, reader, seed)
    trained_on = reader.trained_on()
    rules = wish.rules.due(sum(row.origin == "label" for row in trained_on))
    written = Written.of([row.text for row in trained_on])
    choice = _Choice(candidates, pool, wish.strategy, rules, draw, written)
    return choice.reserved(texts, tasks, size)


def _by_base_model(texts: TextStore, tasks: Tasks, reader: BaseReader, wish: Wish, size: int) -> Batch:
    """Reserve typical texts; random ones where chance is wished, or where the base model embeds no text.

    The rule `random_first` is for champions that are sure of the wrong things, and has no say here.
    """
    asked = tasks.asked()
    candidates = gather_first(texts, tasks)
    strategy, pool = strategy_and_arrays(candidates, wish.strategy, asked, reader)
    choice = _Choice(candidates, pool, strategy, wish.rules, wish.draw(len(asked)), Written.of(reader.seed))
    return choice.reserved(texts, tasks, size)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a batch is composed of; row i of the pool belongs to candidate i."""

    candidates: Candidates
    pool: Pool
    strategy: Strategy
    rules: BatchRules
    draw: np.random.Generator
    written: Written

    def reserved(self, texts: TextStore, tasks: Tasks, size: int) -> Batch:
        """Compose a batch of at most `size` texts and reserve it."""

        with open_aside(texts, tasks) as aside:
            return choose(texts, tasks, self.candidates, partial(self.composed, aside), size)

    def composed(self, aside: Iterable[str], rows: Positions, count: int) -> Composition:
        """A batch of at most `count` of these candidates, none of them near a text aside."""
        from training.data.clusters import near_any

        return compose(
            self.pool.at(rows),
            [self.candidates.facts[row] for row in rows.tolist()],
            self.strategy,
            self.rules,
            count,
            self.draw,
            near_any,
            aside=aside,
            written=self.written,
            sampled=self.candidates.sampled[rows],
        )
