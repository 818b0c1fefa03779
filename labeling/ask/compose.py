"""Makes a batch of what a strategy asks for: a batch is more than the head of a list.

A model's doubt alone asks for outliers, for copies of one news and for one label. So a share of a batch is drawn at
random, the outliers are left out, and each label gets its share. The trap: the random part is worth something only
where nothing else has a say in it, so it is drawn first.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np
import numpy.typing as npt

from labeling.ask.facts import Fact, Near, unfit
from labeling.ask.pool import Pool, Positions, Strategy
from labeling.ask.reasons import Kind, Reason
from labeling.ask.rules import BatchRules
from labeling.ask.strategies.registry import checked_choice
from labeling.ask.strategies.uncertainty import margin

NEAR = "near a text of this batch or an earlier one"
OUTLIER = "among the most uncertain"
SOURCE_FULL = "the source has its share of the batch"
DAY_FULL = "the day has its share of the batch"

OVER = 1.5
"""How many times the wanted number a strategy is asked for, because some are near others."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """One text of a batch: its row in the pool, and why it was chosen."""

    position: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Composition:
    """A batch in the order in which it is asked, and how many texts were left out, by reason.

    Texts that are near others are counted only where the batch came to them.
    """

    chosen: tuple[Chosen, ...]
    left_out: Mapping[str, int]


def compose(
    pool: Pool,
    facts: Sequence[Fact],
    strategy: Strategy,
    rules: BatchRules,
    size: int,
    draw: np.random.Generator,
    near: Near,
    *,
    aside: Iterable[str] = (),
    script: str = "",
    sampled: npt.NDArray[np.bool_] | None = None,
) -> Composition:
    """A batch of `size` texts, or of fewer where the pool has no more that are fit; `facts[i]` belongs to row i.

    The random part is uniform over the fit texts: those with enough letters, in the `script` of the seed data (empty:
    any; see `main_script`), one of each group of copies, and not near the texts `aside`, which were asked about before
    or belong to the audit. Where a pool holds more than a random sample of the stream, `sampled` (texts,) says which
    texts are the sample, and the random part comes from them alone. It is drawn before the strategy chooses, and
    neither caps, quotas nor the clipped share touch it: so what annotators answer on it is an unbiased sample of the
    fit texts.

    The strategy chooses among the rest, without the `clip_share` of lowest margin, which are mostly outliers (Gonsior
    et al., To Softmax, or not to Softmax, 2022). Where a label would miss its quota, the strategy chooses among the
    texts with that prediction. Where no model has scored the texts, none is clipped and no label has a quota. The order
    mixes the parts evenly: an annotator who stops early has answered the right share of each. Raises BadInput for a
    strategy that does not return a choice.
    """
    bad = unfit(facts, rules.min_letters, script, rules.script_share)
    work = _Work(pool, facts, rules, size, draw, near, tuple(aside), np.ones(len(pool), dtype=bool))
    work.left_out.update(bad.values())
    work.open[list(bad)] = False
    work.draw_at_random(round(rules.random_share * size), sampled)
    work.clip()
    work.ask(strategy)
    return Composition(tuple(_mixed(work.chosen)), dict(sorted((+work.left_out).items())))


@dataclass(slots=True)
class _Work:
    """A batch in the making. `open` says of each text whether it may still be chosen."""

    pool: Pool
    facts: Sequence[Fact]
    rules: BatchRules
    size: int
    draw: np.random.Generator
    near: Near
    aside: Sequence[str]
    open: npt.NDArray[np.bool_]
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
    def places(self) -> int:
        return self.size - len(self.chosen)

    def draw_at_random(self, count: int, sampled: npt.NDArray[np.bool_] | None) -> None:
        order = self.draw.permutation(np.flatnonzero(self.open if sampled is None else self.open & sampled))
        while len(self.chosen) < count and len(order):
            asked, order = np.split(order, [_over(count - len(self.chosen))])
            for position in self.distinct(asked):
                self.take(position, "random", Kind.RANDOM)
                if len(self.chosen) == count:
                    return

    def clip(self) -> None:
        """Close the share of the open texts that the model doubts most."""
        if not self.pool.is_scored:
            return
        waiting = np.flatnonzero(self.open)
        order = np.argsort(self.gaps[waiting], kind="stable")
        self.close(waiting[order[: int(self.rules.clip_share * len(waiting))]], OUTLIER)

    def ask(self, strategy: Strategy) -> None:
        """Fill the places with what the strategy chooses; the last places are kept for labels that lack texts."""
        lacking, orders = self.lacking(), dict[int | None, _Order]()
        for done in [one.position for one in self.chosen]:
            self.close_full(done)
        while self.places:
            label = None if self.places > lacking.total() else next(iter(lacking))
            waiting = np.flatnonzero(self.open if label is None else self.open & (self.predicted == label))
            order = orders.setdefault(label, _Order(len(waiting)))
            asked = self.choice(strategy, waiting, order.next_size(self.places if label is None else lacking[label]))
            if len(asked):
                self.fill(strategy.name, asked, lacking, order, label)
            elif label is None:
                return
            else:
                del lacking[label]

    def choice(self, strategy: Strategy, waiting: Positions, size: int) -> Positions:
        """The rows of the whole pool that the strategy chooses among those that wait."""
        if not len(waiting):
            return waiting
        part = self.pool if len(waiting) == len(self.pool) else rows(self.pool, waiting)
        return waiting[checked_choice(strategy, part, min(size, len(waiting)), self.draw)]

    def fill(self, name: str, asked: Positions, lacking: Counter[int], order: "_Order", label: int | None) -> None:
        """Take what was asked for, until no place is left but those that other labels need."""
        ranks = {position: order.seen + rank for rank, position in enumerate(asked.tolist(), start=1)}
        kind = Kind.STRATEGY if label is None else Kind.QUOTA
        for position in self.distinct(asked):
            theirs = int(self.predicted[position])
            order.seen = max(order.seen, ranks[position])
            self.take(position, name, kind, ranks[position], order.of)
            self.close_full(position)
            if lacking[theirs] > 0:
                lacking[theirs] -= 1
            for met in [one for one, count in lacking.items() if count == 0]:
                del lacking[met]
            if (
                not self.places
                or (label is None and self.places <= lacking.total())
                or (label is not None and label not in lacking)
            ):
                return
        order.seen = max(ranks.values())

    def lacking(self) -> Counter[int]:
        """How many texts each predicted label still needs for its quota, never more than there are places."""
        if not self.pool.is_scored:
            return Counter()
        labels = self.pool.probabilities.shape[1]
        least = min(int(self.rules.quota * self.size), self.size // labels)
        have = Counter(int(self.predicted[one.position]) for one in self.chosen)
        waiting = np.bincount(self.predicted[self.open], minlength=labels).tolist()
        found = Counter({label: min(least - have[label], waiting[label]) for label in range(labels)})
        found = +found
        while found.total() > self.places:
            found -= Counter([max(found, key=lambda label: found[label])])
        return found

    def distinct(self, asked: Positions) -> Iterator[int]:
        """The open texts among those asked for that are near none before, one by one; the near ones are closed."""
        waiting = [position for position in asked.tolist() if self.open[position]]
        earlier = [self.facts[one.position].text for one in self.chosen]
        near = self.near([self.facts[position].text for position in waiting], chain(earlier, self.aside))
        for place, position in enumerate(waiting):
            if place in near:
                self.close(np.array([position]), NEAR)
            elif self.open[position]:
                yield position

    def take(self, position: int, name: str, kind: Kind, rank: int | None = None, of: int | None = None) -> None:
        self.open[position] = False
        gap = min(max(float(self.gaps[position]), 0.0), 1.0) if self.pool.is_scored else None
        predicted = self.facts[position].label
        reason = Reason(strategy=name, kind=kind, margin=gap, predicted=predicted, rank=rank, of=of)
        self.chosen.append(Chosen(position, reason))

    def close(self, positions: Positions, reason: str) -> None:
        self.left_out[reason] += int(self.open[positions].sum())
        self.open[positions] = False

    def close_full(self, position: int) -> None:
        """Close the source and the day of a chosen text where they have their share of the batch."""
        if not self.places:
            return
        fact = self.facts[position]
        ours = [self.facts[one.position] for one in self.chosen]
        if sum(one.source == fact.source for one in ours) >= self.most(self.rules.per_source):
            self.close_where([one.source == fact.source for one in self.facts], SOURCE_FULL)
        if fact.day and sum(one.day == fact.day for one in ours) >= self.most(self.rules.per_day):
            self.close_where([one.day == fact.day for one in self.facts], DAY_FULL)

    def close_where(self, mask: list[bool], reason: str) -> None:
        self.close(np.flatnonzero(mask), reason)

    def most(self, share: float) -> int:
        return max(1, int(share * self.size))


@dataclass(slots=True)
class _Order:
    """How far one order of the strategy has been read. Copies come in floods, so each request is twice the last."""

    of: int
    seen: int = 0
    asked: int = 0

    def next_size(self, wanted: int) -> int:
        self.asked += 1
        return _over(wanted) << (self.asked - 1)


def rows(pool: Pool, positions: Positions) -> Pool:
    """The pool of these rows alone. What was labelled stays."""
    return replace(
        pool,
        probabilities=pool.probabilities[positions],
        embeddings=pool.embeddings[positions] if len(pool.embeddings) else pool.embeddings,
        dropout=pool.dropout[:, positions] if pool.dropout.size else pool.dropout,
    )


def _over(wanted: int) -> int:
    return int(OVER * wanted) + 1


def _mixed(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The parts spread evenly over the batch, each in its own order."""
    counts = Counter(one.reason.kind for one in chosen)
    places, met = [], Counter[Kind]()
    for one in chosen:
        kind = one.reason.kind
        places.append((met[kind] + 0.5) / counts[kind])
        met[kind] += 1
    return [one for _, one in sorted(zip(places, chosen, strict=True), key=lambda pair: pair[0])]
