"""A batch in the making: which texts are chosen, which may still be chosen, and why the others may not."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import numpy.typing as npt

from labeling.ask.facts import Fact, Near
from labeling.ask.language import foreign
from labeling.ask.order import Order, over
from labeling.ask.pool import Pool, Positions, Strategy
from labeling.ask.reasons import Kind, Reason
from labeling.ask.rules import BatchRules
from labeling.ask.strategies.registry import checked_choice
from labeling.ask.strategies.uncertainty import margin

ANOTHER_LANGUAGE = "another language"
NEAR = "near a text of this batch or an earlier one"
OUTLIER = "among the most uncertain"
SOURCE_FULL = "the source has its share of the batch"
DAY_FULL = "the day has its share of the batch"


@dataclass(frozen=True, slots=True)
class Chosen:
    """One text of a batch: its row in the pool, and why it was chosen."""

    position: int
    reason: Reason


@dataclass(slots=True)
class Draft:
    """A batch in the making. `open` says of each text whether it may still be chosen."""

    pool: Pool
    facts: Sequence[Fact]
    rules: BatchRules
    size: int
    draw: np.random.Generator
    near: Near
    aside: Iterable[str]
    open: npt.NDArray[np.bool_]
    known: frozenset[str] = frozenset()
    chosen: list[Chosen] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    predicted: npt.NDArray[np.integer] = field(init=False)
    gaps: npt.NDArray[np.floating] = field(init=False)

    def __post_init__(self) -> None:
        several = self.pool.probabilities.shape[1] > 1
        scored = self.pool.is_scored
        self.predicted = self.pool.probabilities.argmax(axis=1) if scored else np.zeros(len(self.pool), dtype=np.intp)
        self.gaps = 1 - margin(self.pool.probabilities) if several else np.ones(len(self.pool))

    @property
    def _places(self) -> int:
        return self.size - len(self.chosen)

    def draw_at_random(self, count: int, sampled: npt.NDArray[np.bool_] | None) -> None:
        """Choose so many open texts uniformly, of the `sampled` ones where that is given."""
        order = self.draw.permutation(np.flatnonzero(self.open if sampled is None else self.open & sampled))
        while len(self.chosen) < count and len(order):
            asked, order = np.split(order, [over(count - len(self.chosen))])
            for position in self._distinct(asked):
                self._take(position, "random", Kind.RANDOM)
                if len(self.chosen) == count:
                    return

    def clip(self) -> None:
        """Close the share of the open texts that the model doubts most."""
        if not self.pool.is_scored:
            return
        waiting = np.flatnonzero(self.open)
        order = np.argsort(self.gaps[waiting], kind="stable")
        self._close(waiting[order[: int(self.rules.clip_share * len(waiting))]], OUTLIER)

    def ask(self, strategy: Strategy) -> None:
        """Fill the places with what the strategy chooses; the last places are kept for labels that lack texts."""
        lacking, orders = self._lacking(), dict[int | None, Order]()
        for done in [one.position for one in self.chosen]:
            self._close_full(done)
        while self._places:
            label = None if self._places > lacking.total() else next(iter(lacking))
            waiting = np.flatnonzero(self.open if label is None else self.open & (self.predicted == label))
            order = orders.setdefault(label, Order(len(waiting)))
            asked = self._choice(strategy, waiting, order.next_size(self._places if label is None else lacking[label]))
            if len(asked):
                self._fill(strategy.name, asked, lacking, order, label)
            elif label is None:
                return
            else:
                del lacking[label]

    def _choice(self, strategy: Strategy, waiting: Positions, size: int) -> Positions:
        """The rows of the whole pool that the strategy chooses among those that wait."""
        if not len(waiting):
            return waiting
        part = self.pool if len(waiting) == len(self.pool) else self.pool.at(waiting)
        return waiting[checked_choice(strategy, part, min(size, len(waiting)), self.draw)]

    def _fill(self, name: str, asked: Positions, lacking: Counter[int], order: Order, label: int | None) -> None:
        """Take what was asked for, until no place is left but those that other labels need."""
        ranks = {position: order.seen + rank for rank, position in enumerate(asked.tolist(), start=1)}
        kind = Kind.STRATEGY if label is None else Kind.QUOTA
        for position in self._distinct(asked):
            theirs = int(self.predicted[position])
            order.seen = max(order.seen, ranks[position])
            self._take(position, name, kind, ranks[position], order.of)
            self._close_full(position)
            if lacking[theirs] > 0:
                lacking[theirs] -= 1
            for met in [one for one, count in lacking.items() if count == 0]:
                del lacking[met]
            if (
                not self._places
                or (label is None and self._places <= lacking.total())
                or (label is not None and label not in lacking)
            ):
                return
        order.seen = max(ranks.values())

    def _lacking(self) -> Counter[int]:
        """How many texts each predicted label still needs for its quota, never more than there are places."""
        if not self.pool.is_scored:
            return Counter()
        labels = self.pool.probabilities.shape[1]
        least = min(int(self.rules.quota * self.size), self.size // labels)
        have = Counter(int(self.predicted[one.position]) for one in self.chosen)
        waiting = np.bincount(self.predicted[self.open], minlength=labels).tolist()
        found = Counter({label: min(least - have[label], waiting[label]) for label in range(labels)})
        found = +found
        while found.total() > self._places:
            found -= Counter([max(found, key=lambda label: found[label])])
        return found

    def _distinct(self, asked: Positions) -> Iterator[int]:
        """The open texts among those asked for that are fit and near none before, one by one; the others are closed."""
        self._close_foreign(asked)
        waiting = [position for position in asked.tolist() if self.open[position]]
        earlier = [self.facts[one.position].text for one in self.chosen]
        near = self.near([self.facts[position].text for position in waiting], chain(earlier, self.aside))
        for place, position in enumerate(waiting):
            if place in near:
                self._close(np.array([position]), NEAR)
            elif self.open[position]:
                yield position

    def _take(self, position: int, name: str, kind: Kind, rank: int | None = None, of: int | None = None) -> None:
        self.open[position] = False
        gap = min(max(float(self.gaps[position]), 0.0), 1.0) if self.pool.is_scored else None
        predicted = self.facts[position].label
        reason = Reason(strategy=name, kind=kind, margin=gap, predicted=predicted, rank=rank, of=of)
        self.chosen.append(Chosen(position, reason))

    def _close(self, positions: Positions, reason: str) -> None:
        self.left_out[reason] += int(self.open[positions].sum())
        self.open[positions] = False

    def _close_foreign(self, asked: Positions) -> None:
        waiting = asked[self.open[asked]]
        texts = [self.facts[position].text for position in waiting.tolist()]
        strange = foreign(texts, self.known, self.rules.language_certainty)
        self._close(waiting[sorted(strange)], ANOTHER_LANGUAGE)

    def _close_full(self, position: int) -> None:
        """Close the source and the day of a chosen text where they have their share of the batch."""
        if not self._places:
            return
        fact = self.facts[position]
        ours = [self.facts[one.position] for one in self.chosen]
        if sum(one.source == fact.source for one in ours) >= self._most(self.rules.per_source):
            self._close_where([one.source == fact.source for one in self.facts], SOURCE_FULL)
        if fact.day and sum(one.day == fact.day for one in ours) >= self._most(self.rules.per_day):
            self._close_where([one.day == fact.day for one in self.facts], DAY_FULL)

    def _close_where(self, mask: list[bool], reason: str) -> None:
        self._close(np.flatnonzero(mask), reason)

    def _most(self, share: float) -> int:
        return max(1, int(share * self.size))
