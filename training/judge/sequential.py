"""Tests a candidate again and again while labels come in, and still promotes an equal one in at most 5 % of offers.

Looking twenty times at the same growing evidence and stopping at the first p below .05 promotes equal candidates four
times too often. A group-sequential test spends its 5 % by a plan instead: little at the first looks, most at the end.

The plan needs no agreed times. A look's boundary follows from the share of the planned information that is in, as it
came: three answers late, or forty at once. Answers that are changed or deleted after a look count as they stand: the
estimate and its information are computed anew, past looks stay as they were, and alpha that is spent stays spent. If
information has shrunk below that of the last look, nothing is tested until it has grown past the old mark. This is
sound because annotators see neither model's answer nor the state of the test: a change that knows nothing of the
verdict makes noise, not bias. A verdict is final, and answers that come after it are not tested.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from storage.errors import BadInput
from storage.models.verdict import Decision
from training.judge.difference import Estimate, Floats

ALPHA = 0.05
"""The chance that a candidate which is no better is promoted, one-sided."""
POWER = 0.85
"""The chance, by the planned information, that a candidate better by the smallest gain worth having is promoted.

Stopping for futility, and Student's t, cost about two of these points. At .9 such a candidate is promoted in 87 % of
duels instead of 83 %, and an equal one costs a quarter more labels (benchmarks/gate.py).
"""
FUTILE = 0.2
"""Below this chance of still being promoted at the smallest gain worth having, a duel ends."""
STEP = 0.01
"""The smallest growth of the information fraction whose joint distribution is integrated."""
WIDE, POINTS = 8.0, 241
"""Standard deviations on both sides of zero, and points, of the grid for Simpson's rule."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look: the share of the planned information, the alpha spent there, and the z from which it promotes."""

    fraction: float
    alpha: float
    boundary: float


Looks = tuple[Look, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """The alpha that all promotions on audit rows alone share in a year: they are tested on one and the same slice.

    A look may take a quarter of what is left, so that the budget is never empty (the simplest alpha-investing rule:
    Foster and Stine 2008, without the reward). By Boole's inequality the chance that any of the year's promotions on
    audit rows alone is wrong is at most `total`, however the candidates resemble each other.
    """

    total: float = ALPHA
    spent: float = 0.0

    @property
    def allowance(self) -> float:
        """The most alpha that the next candidate's look at the audit slice may spend."""
        return max(0.0, self.total - self.spent) / 4

    def after(self, look: Look) -> Budget:
        """The budget once this look has taken its alpha."""
        return Budget(self.total, self.spent + look.alpha)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look found: the decision, the looks so far, and the figures an expert asks for.

    `look` is None where the information had not grown, so that nothing was tested. `critical` is the boundary in
    Student's t; `chance` the conditional power at the smallest gain worth having.
    """

    decision: Decision
    look: Look | None
    looks: Looks
    critical: float
    chance: float


def alpha_spent(fraction: float, alpha: float = ALPHA) -> float:
    """The alpha that may be spent up to this share of the information: none at 0, all of it from 1 on.

    2 - 2 Phi(z_{1 - alpha/2} / sqrt(fraction)), the O'Brien-Fleming type of Lan and DeMets 1983.
    """
    from scipy.stats import norm

    if fraction <= 0:
        return 0.0
    return float(2 * norm.sf(norm.isf(alpha / 2) / np.sqrt(min(fraction, 1.0))))


def information_goal(min_gain: float, alpha: float = ALPHA, power: float = POWER) -> float:
    """The information at which one look finds `min_gain` with this power: ((z_alpha + z_beta) / min_gain) squared.

    Jennison and Turnbull 2000, chapter 3. Raises BadInput for a gain that is not above zero.
    """
    from scipy.stats import norm

    if min_gain <= 0:
        raise BadInput(f"the smallest gain worth having is {min_gain}, not above zero")
    return float(((norm.isf(alpha) + norm.ppf(power)) / min_gain) ** 2)


def next_look(past: Looks, fraction: float, *, final: bool = False, allowance: float = 1.0) -> Look | None:
    """The look at this share of the information, or None where the information has not grown since the last.

    `final` spends all that is left: where the number of labels or days is used up, whatever the estimate says.
    `allowance` caps this look's alpha (a Budget's); what it holds back is spent by later looks. The boundary b solves
    P(no look before promotes, and Z >= b) = alpha of this look, for equal models. Z of two looks has the correlation
    sqrt(t_1 / t_2), so the density of the sums that have not crossed yet is carried from look to look by Simpson's rule
    (Armitage, McPherson and Rowe 1969; Jennison and Turnbull 2000, chapter 19). Futility is left out of it
    (non-binding), so that going on against its advice is harmless.

    A final look whose information has not grown uses the plain normal quantile of the alpha that is left, which by
    Boole's inequality holds for any correlation.
    """
    from scipy.stats import norm

    last = past[-1].fraction if past else 0.0
    used = sum(look.alpha for look in past)
    grown = fraction >= last + (STEP if past else 0.0) and fraction > 0
    if not grown and not final:
        return None
    alpha = max(0.0, min((ALPHA if final else alpha_spent(fraction)) - used, allowance))
    if not past or not grown:
        return Look(max(fraction, last), alpha, float(norm.isf(alpha)))
    return Look(fraction, alpha, _boundary(past, fraction, alpha))


def conditional_power(past: Looks, z: float, fraction: float, min_gain: float, goal: float) -> float:
    """The chance that the last look promotes, given z at this one and a true gain of `min_gain`.

    The sum z sqrt(t) grows by a normal step of mean min_gain sqrt(goal) (1 - t) and variance 1 - t. It must reach the
    boundary of a single last look that spends the alpha still unspent (Jennison and Turnbull 2000, section 10.2).
    `past` includes this look, where it was tested.
    """
    from scipy.stats import norm

    left = 1.0 - fraction
    last = next_look(past, 1.0, final=True)
    if left <= 0 or last is None:
        return 0.0
    missing = last.boundary - z * np.sqrt(fraction) - min_gain * np.sqrt(goal) * left
    return float(norm.sf(missing / np.sqrt(left)))


def decide(
    found: Estimate, past: Looks, goal: float, min_gain: float, *, final: bool = False, allowance: float = 1.0
) -> Finding:
    """Promote where the estimate reaches this look's boundary; refuse at the end, or where a promotion is unlikely.

    `goal` is the information of the whole test, fixed before its first look. The test ends there, or with `final`. More
    than the goal (answers that were under way) is no fault: the last look tests all of it at the alpha that was left.
    For few labels the boundary is the quantile of Student's t at the normal boundary's level (Jennison and Turnbull
    2000, section 3.8), with the degrees of freedom of the estimate. Without knowledge (an infinite error) nothing is
    tested, and a final look refuses.
    """
    from scipy.stats import norm, t

    fraction = min(found.information / goal, 1.0)
    ends = final or fraction >= 1.0
    look = next_look(past, fraction, final=ends, allowance=allowance) if found.freedom > 0 else None
    critical = float("inf") if look is None else float(t.isf(norm.sf(look.boundary), found.freedom))
    looks = past if look is None else (*past, look)
    if look is not None and found.z >= critical:
        return Finding(Decision.PROMOTE, look, looks, critical, 1.0)
    if ends:
        return Finding(Decision.REFUSE, look, looks, critical, 0.0)
    chance = conditional_power(looks, found.z, fraction, min_gain, goal)
    decision = Decision.REFUSE if chance < FUTILE else Decision.UNDECIDED
    return Finding(decision, look, looks, critical, chance)


def _boundary(past: Looks, fraction: float, alpha: float) -> float:
    """The z whose crossing at this look, and at none before, has the probability alpha."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    sums, masses = _uncrossed(past)
    step = np.sqrt(fraction - past[-1].fraction)

    def excess(z: float) -> float:
        return float(masses @ ndtr((sums - z * np.sqrt(fraction)) / step)) - alpha

    if alpha <= 0 or excess(WIDE) >= 0:
        return float("inf")
    return float(brentq(excess, -WIDE, WIDE, xtol=1e-8))


@lru_cache(maxsize=64)
def _uncrossed(past: Looks) -> tuple[Floats, Floats]:
    """(points,) sums z sqrt(t) below the boundary of the last look, and the mass at each that never crossed before.

    Mass is density times Simpson's weight. Kept for the longest history asked for, since each look adds one step.
    """
    last = past[-1]
    root = np.sqrt(last.fraction)
    sums = np.linspace(-WIDE * root, min(last.boundary, WIDE) * root, POINTS)
    simpson = np.tile([2.0, 4.0], POINTS // 2 + 1)[:POINTS] * (sums[1] - sums[0]) / 3
    simpson[[0, -1]] /= 2
    if len(past) == 1:
        return sums, simpson * _normal(sums / root) / root
    before, masses = _uncrossed(past[:-1])
    step = np.sqrt(last.fraction - past[-2].fraction)
    return sums, simpson * (_normal((sums[:, None] - before[None, :]) / step) @ masses) / step


def _normal(z: Floats) -> Floats:
    """The density of the standard normal distribution: scipy's own is five times slower on a grid."""
    return np.asarray(np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))
