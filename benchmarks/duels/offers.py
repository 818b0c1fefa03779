"""One candidate offered to the gate: an audit slice, then a duel as long as any rule could want. Rules then read it.

All rules judge the same path, so that they differ by the rule and not by luck.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.duels.world import LABELS, World
from storage.models.verdict import Decision
from training.judge.difference import Answers, Estimate
from training.judge.duel import BATCH, Plan, audit_estimate, make_plan, next_draw
from training.judge.metrics import Codes
from training.judge.sequential import ALPHA, Budget, Looks, decide

MIN_GAIN = 0.03
POOL = 5000
"""Unlabelled texts that both models answer, of which the duel's texts are drawn."""
LONGEST = 320
"""Labels of an offer: more than the product asks for, so that a fixed-size test of any power can be read off."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer's estimates after 0, BATCH, 2 BATCH ... labels of its duel; the first is of the audit slice alone."""

    plan: Plan
    estimates: tuple[Estimate, ...]


def offer(world: World, audit: Answers, generator: np.random.Generator, longest: int = LONGEST) -> Offer:
    """Label a duel between the two models of a world, by the product's plan and draws."""
    count = len(LABELS)
    pool = world.draw(POOL, generator)
    first = audit_estimate(audit, count, pool.champion, pool.candidate)
    plan = make_plan(pool.champion, pool.candidate, first, MIN_GAIN)
    strata = plan.stratum(pool.champion, pool.candidate)
    waiting = [generator.permutation(np.flatnonzero(strata == number)) for number in range(len(plan.shares))]
    rows, estimates = audit, [first]
    asked = np.bincount(plan.stratum(audit.champion, audit.candidate), minlength=len(waiting))
    for _ in range(0, longest, BATCH):
        found = plan.estimate(rows, count)
        draw = next_draw(plan, found, asked, np.array([len(one) for one in waiting]))
        chosen = np.concatenate([one[:number] for one, number in zip(waiting, draw, strict=True)])
        waiting = [one[number:] for one, number in zip(waiting, draw, strict=True)]
        rows, asked = joined(rows, taken(pool, chosen)), asked + draw
        estimates.append(plan.estimate(rows, count))
    return Offer(plan, tuple(estimates))


def taken(rows: Answers, places: Codes) -> Answers:
    """The rows at these places."""
    return Answers(rows.truth[places], rows.champion[places], rows.candidate[places])


def joined(one: Answers, other: Answers) -> Answers:
    """The rows of both."""
    columns = ((one.truth, other.truth), (one.champion, other.champion), (one.candidate, other.candidate))
    return Answers(*(np.concatenate(pair) for pair in columns))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an offer ended: promoted or not, after how many labels of its duel, and whether on the audit slice alone."""

    promoted: bool
    labels: int

    @property
    def by_audit(self) -> bool:
        """Promoted before any duel."""
        return self.promoted and self.labels == 0


def gate(path: Offer, budget: Budget) -> tuple[Outcome, Budget]:
    """The product's rule: the audit slice is the first look, by the year's budget; then a look every BATCH labels."""
    plan = path.plan
    looks: Looks = ()
    last = plan.max_labels // BATCH
    for number, estimate in enumerate(path.estimates[: last + 1]):
        allowance = 1.0 if number else budget.allowance
        found = decide(estimate, looks, plan.goal, MIN_GAIN, final=number == last, allowance=allowance)
        looks = found.looks
        if number == 0 and found.look is not None:
            budget = budget.after(found.look)
        if found.decision is not Decision.UNDECIDED:
            break
    return Outcome(found.decision is Decision.PROMOTE, number * BATCH), budget


def points(path: Offer) -> bool:
    """The old rule: promote what is better on the audit slice, by however little."""
    return path.estimates[0].gain > 0


def fixed(path: Offer, batches: int) -> bool:
    """A fixed-size test: the same rows and estimate, one look after so many batches, Student's t at ALPHA."""
    from scipy.stats import t

    found = path.estimates[batches]
    return found.freedom > 0 and found.z >= float(t.isf(ALPHA, found.freedom))
