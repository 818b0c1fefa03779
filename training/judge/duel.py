"""Plans a duel: which texts to label when the audit slice cannot tell whether a candidate is better than the champion.

Rows on which two models agree say next to nothing about their difference. So a duel asks about texts on which they
disagree, and more about the pairs of answers that teach more. Everything here is plain values: no store, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.errors import BadInput
from training.judge.difference import AGREE, Answers, Estimate, Floats, stratified_difference
from training.judge.metrics import Codes
from training.judge.sequential import information_goal

MAX_LABELS = 200
BATCH = 10
"""Labels between two looks."""
RARE = 0.05
"""Pairs of answers below this share of the disagreements form one stratum together: each stratum needs labels."""
LEAST = 2
"""Rows that each stratum needs before a difference can be estimated."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """A duel as fixed before its first answer: by unlabelled texts, and the error of the audit estimate for `goal`.

    `strata[h]` are the (champion's, candidate's) answers of stratum h, positions in the labels; stratum 0 is where the
    two agree and lists none. `shares[h]` is how common stratum h is among the `pool` texts that both have answered.
    `goal` is the information at which the test ends, `max_labels` the labels at which it ends in any case.
    """

    strata: tuple[tuple[tuple[int, int], ...], ...]
    shares: tuple[float, ...]
    pool: int
    goal: float
    max_labels: int = MAX_LABELS

    def stratum(self, champion: Codes, candidate: Codes) -> Codes:
        """(texts,) the stratum of each pair of answers. A pair that the pool did not have counts with the last one."""
        pairs = [(a, b, number) for number, pairs in enumerate(self.strata) for a, b in pairs]
        side = 1 + int(max(max(a, b) for a, b, _ in pairs))
        side = max(side, 1 + int(max(champion.max(initial=0), candidate.max(initial=0))))
        table = np.full((side, side), len(self.strata) - 1)
        np.fill_diagonal(table, AGREE)
        for a, b, number in pairs:
            table[a, b] = number
        return np.asarray(table[champion, candidate], dtype=np.int64)

    def estimate(self, rows: Answers, labels: int) -> Estimate:
        """The difference by all rows: audit rows and the duel's, since both are random inside each stratum.

        That audit rows fall into strata by chance is post-stratification (Holt and Smith 1979).
        """
        strata = self.stratum(rows.champion, rows.candidate)
        return stratified_difference(rows, labels, strata, np.array(self.shares), self.pool)


def audit_estimate(rows: Answers, labels: int, champion: Codes, candidate: Codes) -> Estimate:
    """The difference by audit rows alone, in two strata: agree or not, by the answers (texts,) for the unlabelled pool.

    The audit slice is too small to divide its disagreements by pairs.
    """
    share = float((champion != candidate).mean())
    return stratified_difference(
        rows, labels, rows.disagree.astype(np.int64), np.array([1 - share, share]), len(champion)
    )


def make_plan(
    champion: Codes, candidate: Codes, audit: Estimate, min_gain: float, max_labels: int = MAX_LABELS
) -> Plan:
    """The plan from both models' answers (texts,) for the unlabelled pool, and the estimate on the audit slice.

    The goal is the information that finds `min_gain` with the test's power, but twice what the audit slice has, so that
    a large slice leaves something to test. Where `max_labels` cannot bring so much, the goal is what they will bring:
    audit rows and labels inform in proportion to the disagreements among them. Only the error of the audit estimate is
    used, never its gain, which would bend the test. Raises BadInput where the two never disagree.
    """
    different = champion != candidate
    if not different.any():
        raise BadInput(f"the two models agree on all {len(champion):,} texts of the pool, so there is nothing to ask")
    pairs, counts = np.unique(np.stack([champion, candidate], axis=1)[different], axis=0, return_counts=True)
    frequent = counts >= RARE * counts.sum()
    strata: list[tuple[tuple[int, int], ...]] = [((int(a), int(b)),) for a, b in pairs[frequent]]
    sizes = [int(count) for count in counts[frequent]]
    if not frequent.all():
        strata.append(tuple((int(a), int(b)) for a, b in pairs[~frequent]))
        sizes.append(int(counts[~frequent].sum()))
    shares = [1 - different.mean(), *(size / len(champion) for size in sizes)]
    goal = information_goal(min_gain)
    if audit.freedom > 0:
        reached = audit.information * (audit.freedom + max_labels) / audit.freedom
        goal = min(max(goal, 2 * audit.information), reached)
    return Plan(((), *strata), tuple(float(one) for one in shares), len(champion), goal, max_labels)


def next_draw(plan: Plan, found: Estimate, asked: Counts, available: Counts, labels: int = BATCH) -> Counts:
    """(strata,) how many texts of each stratum to ask about next, at most `labels` in all.

    `asked` (strata,) are the duel's labels asked for so far, answered or not, and audit rows; `available` (strata,) the
    texts left. Each label goes where it lowers the variance sum of W_h^2 s_h^2 / n_h most. This comes to
    n_h in proportion to W_h s_h (Neyman 1934), in whole numbers (Wright 2012), with the spreads s_h as known so far.
    A stratum with fewer than LEAST rows comes first. The agreeing stratum is never asked for.
    """
    have, left = asked.astype(np.float64), available.copy()
    left[AGREE] = 0
    draw: Counts = np.zeros(len(plan.shares), dtype=np.int64)
    spread: Floats = np.array(plan.shares) * found.spreads
    for _ in range(labels):
        gains = np.where(have < LEAST, np.inf, spread**2 / np.maximum(have * (have + 1), 1))
        gains = np.where(left > 0, gains, -1.0)
        best = int(np.argmax(gains))
        if gains[best] < 0:
            break
        draw[best] += 1
        have[best] += 1
        left[best] -= 1
    return draw


def labels_left(plan: Plan, found: Estimate, answered: int) -> int:
    """About how many more answers end the duel at the latest, when `answered` of its labels are in.

    Information grows in proportion to the disagreeing rows, those of the audit slice included. Most duels end sooner.
    """
    most = max(plan.max_labels - answered, 0)
    if found.information <= 0:
        return most
    rows = int(found.counts[AGREE + 1 :].sum())
    return int(min(most, max(np.ceil(rows * (plan.goal / found.information - 1)), 0)))
