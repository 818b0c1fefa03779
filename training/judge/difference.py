"""How much better a candidate is than the champion: the difference of macro-F1 on the same rows, and its error.

Rows come in two ways: at random (the audit slice), or by strata of what the two models said (a duel asks mostly where
they disagree). Both are one estimator with weights. The trap: macro-F1 is no mean over rows. What a row is worth
depends on how common its label is among all production texts, not among the rows that were asked for.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.errors import BadInput
from training.judge.metrics import Codes, f1_of_labels, influence

Floats = npt.NDArray[np.float64]
AGREE = 0
"""The stratum of rows on which both models say the same; higher numbers are strata of disagreeing rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Labelled rows: (rows,) positions in the labels for the truth, the champion's answer and the candidate's.

    Rows with the same number in `clusters` (rows,) are near-duplicates; None where every row stands alone. Raises
    BadInput where the lengths differ.
    """

    truth: Codes
    champion: Codes
    candidate: Codes
    clusters: Codes | None = None

    def __post_init__(self) -> None:
        given = (self.truth, self.champion, self.candidate, *([] if self.clusters is None else [self.clusters]))
        if len({len(one) for one in given}) > 1:
            raise BadInput(f"the rows of a comparison have different lengths: {[len(one) for one in given]}")

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def disagree(self) -> npt.NDArray[np.bool_]:
        """(rows,) whether the two models say different labels."""
        return np.asarray(self.champion != self.candidate)


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The candidate's macro-F1 less the champion's, with its standard error and Student's degrees of freedom.

    The error is infinite where too little is known to tell. `spreads` (strata,) is the expected standard deviation of
    the influence among each stratum's disagreements, for Neyman's allocation; `counts` (strata,) are the rows there.
    """

    gain: float
    error: float
    freedom: int
    counts: npt.NDArray[np.int64]
    spreads: Floats

    @property
    def information(self) -> float:
        """One over the squared standard error: what sequential tests measure progress by."""
        return 0.0 if np.isinf(self.error) else float(self.error**-2)

    @property
    def z(self) -> float:
        """The gain in standard errors; 0 where nothing is known."""
        return 0.0 if np.isinf(self.error) else self.gain / self.error


def difference(rows: Answers, labels: int) -> Estimate:
    """The difference on rows that were drawn at random. The degrees of freedom are the disagreements less one."""
    strata = np.zeros(len(rows), dtype=np.int64)
    return stratified_difference(rows, labels, strata, np.ones(1), pool=None)


def stratified_difference(rows: Answers, labels: int, strata: Codes, shares: Floats, pool: int | None) -> Estimate:
    """The difference on rows that were drawn at random inside each stratum, at any rate.

    `strata` (rows,) numbers each row's stratum, and `shares` (strata,) is how common each is among all texts, summing
    to one: read off `pool` unlabelled texts that both models have answered (None: known without error).

    With W_h the share of a stratum and n_h its rows, a row has the weight w = W_h / n_h, the inverse of its inclusion
    probability (Horvitz and Thompson 1952), and every quantity of the formula is a weighted sum over all rows, those of
    the agreeing stratum too:

        den_c = sum of w ([truth = c] + [said = c]),  F_c = 2 (sum of w [truth = said = c]) / den_c,  D = mean of F_c
        of the candidate less that of the champion

    D is a smooth function of these sums, so its error is that of a weighted mean of the influence psi = g(truth,
    candidate) - g(truth, champion), with g as in `metrics.influence` but at the *weighted* den and F (linearisation:
    Särndal, Swensson and Wretman 1992, section 5.5; for F measures of chosen rows: Sawade, Landwehr and Scheffer 2010,
    and for the comparison of two models: Sawade et al. 2012). D so linearised is the sum over strata of W_h times the
    mean psi there. Hence

        var D = sum of W_h^2 var_h(psi) / n_h + (sum of W_h mean_h(psi)^2) / pool

    where var_h is taken around the stratum's own mean; the second term is what a finite pool leaves open about W. With
    den and F of the duel's rows alone, rare labels look common and both D and its error are wrong several times over.

    Two corrections for few rows. A small stratum whose rows happen to agree would claim a variance of none, so each
    stratum of disagreements gets one more row's worth of their common variance; for one stratum this is the usual
    n - 1. Clusters sum their residuals before squaring (Liang and Zeger 1986). `freedom` is the disagreeing rows less
    their strata, since agreeing rows hardly move D and add no knowledge about the error.

    The error is infinite where a stratum that occurs has fewer than two rows, or nothing disagrees. Raises BadInput
    where strata and rows differ in length, or the shares do not sum to one.
    """
    if len(strata) != len(rows):
        raise BadInput(f"{len(strata)} strata for {len(rows)} rows")
    if abs(float(shares.sum()) - 1.0) > 1e-6:
        raise BadInput(f"the shares of the strata sum to {shares.sum():.3f}")
    counts = np.bincount(strata, minlength=len(shares))
    disagreeing = np.bincount(strata[rows.disagree], minlength=len(shares))
    freedom = int(disagreeing.sum() - np.count_nonzero(disagreeing))
    if ((counts < 2) & (shares > 0)).any() or freedom < 1:
        return Estimate(0.0, float("inf"), 0, counts, np.ones(len(shares)))
    rates = shares / np.maximum(counts, 1)
    weights = rates[strata]
    gain, moved = _influences(rows, weights, labels)
    psi = moved[np.arange(len(rows)), rows.truth]
    means = np.bincount(strata, psi, len(shares)) / np.maximum(counts, 1)
    residuals = psi - means[strata]
    squares = np.bincount(strata, residuals**2, len(shares)).astype(np.float64)
    variance = _clustered(weights * residuals, rows.clusters)
    variance += float((rates**2 * _common_variances(squares, counts)).sum())
    if pool is not None:
        variance += float((shares * means**2).sum()) / pool
    spreads = _spreads(rows, weights, moved, strata, len(shares))
    return Estimate(gain, float(np.sqrt(variance)), freedom, counts, spreads)


def _influences(rows: Answers, weights: Floats, labels: int) -> tuple[float, Floats]:
    """The weighted difference, and (rows, labels) what psi of each row would be for each truth.

    A label counts where it is true or said by either model.
    """
    champion, candidate = (
        np.bincount(rows.truth * labels + said, weights, labels**2).reshape(labels, labels).astype(np.float64)
        for said in (rows.champion, rows.candidate)
    )
    counted = int(np.count_nonzero(champion.sum(axis=1) + champion.sum(axis=0) + candidate.sum(axis=0)))
    gain = float((f1_of_labels(candidate) - f1_of_labels(champion)).sum()) / counted
    after, before = _moved(candidate, counted), _moved(champion, counted)
    return gain, (after[:, rows.candidate] - before[:, rows.champion]).T


def _moved(confusion: Floats, counted: int) -> Floats:
    """The influence of one model, over the labels that count for the two together."""
    own = np.count_nonzero(confusion.sum(axis=0) + confusion.sum(axis=1))
    return influence(confusion) * own / counted


def _spreads(rows: Answers, weights: Floats, moved: Floats, strata: Codes, count: int) -> Floats:
    """(strata,) the standard deviation of psi among disagreements, were each model right as often in every stratum.

    What psi is for a pair of answers and each truth is known; how often each truth occurs is not, and a stratum's own
    few rows tell too little. Draws by the strata's own spreads were no better than draws by the shares, and made errors
    look 6 % smaller than they were, since a stratum that looks even by luck is left alone. Strata without disagreements
    have 0.
    """
    all_rows, here = np.arange(len(rows)), np.where(rows.disagree, 1.0, 0.0)
    right = [(weights * here * (rows.truth == said)).sum() for said in (rows.champion, rows.candidate)]
    champion, candidate = right / np.maximum((weights * here).sum(), 1e-12)
    chances = np.tile(np.bincount(rows.truth, weights, moved.shape[1]), (len(rows), 1))
    chances[all_rows, rows.champion] = chances[all_rows, rows.candidate] = 0.0
    chances *= (1 - champion - candidate) / np.maximum(chances.sum(axis=1, keepdims=True), 1e-12)
    chances[all_rows, rows.champion], chances[all_rows, rows.candidate] = champion, candidate
    total = np.maximum(np.bincount(strata, here, count), 1.0)
    mean = np.bincount(strata, here * (chances * moved).sum(axis=1), count) / total
    square = np.bincount(strata, here * (chances * moved**2).sum(axis=1), count) / total
    return np.asarray(np.sqrt(np.maximum(square - mean**2, 0.0)))


def _common_variances(squares: Floats, counts: npt.NDArray[np.int64]) -> Floats:
    """(strata,) the variance inside strata: the agreeing one's own, and one for all strata of disagreements.

    A single stratum holds both kinds of rows and has its own.
    """
    common = np.zeros(len(counts))
    for group in (slice(0, 1), slice(1, None)):
        common[group] = squares[group].sum() / max(float(np.maximum(counts[group] - 1, 0).sum()), 1.0)
    return common


def _clustered(residuals: Floats, clusters: Codes | None) -> float:
    """The sum of squares, after summing the residuals of each cluster."""
    if clusters is None:
        return float((residuals**2).sum())
    groups = np.unique(clusters, return_inverse=True)[1]
    return float((np.bincount(groups, residuals) ** 2).sum())
