"""Measures the gate: how often it promotes candidates that are equal, worse or better, and how many labels that costs.

    python -m benchmarks.gate --simulated --offers 600 --json gate.json

Simulated models need no training: minutes. A world (benchmarks/duels/world.py) is the share of texts for each truth,
champion's answer and candidate's answer. True labels are 20, 65 and 15 % of the texts, as in the financial tweets, and
the two models differ on 12 % of the texts (--disagreement), where the truth is rarer: 30, 45 and 25 %. There both are
wrong in 18 %; the rest is divided so that the true difference of macro-F1 is exactly as named:

    equal        no better, no worse
    equal_bold   the same macro-F1, but one point less accuracy: a candidate that calls the rare labels more often
    worse_2      two points worse
    better_3     three points better, the smallest gain worth having
    better_6     six points better
    in_a_row     20 equal candidates on one audit slice that grows by 20 rows each time and shares one yearly budget;
                 one that is promoted is the champion of the next

Each offer has 200 audit rows (--audit-rows), 5,000 unlabelled texts and a duel of at most 200 labels, judged by the
product's own functions. Rows of the table:

    gate         the product's rule
    points       the old rule: promote what is better on the audit slice, by however little
    fixed        one test after a fixed number of labels, on the same rows with the same estimate, as many labels as
                 give it the gate's own chance to find better_3
    wald         the fewest labels that any sequential test of this error and power can need on average, when gains are
                 0 or three points (Wald 1945), given the same audit rows

Audit rows on which the models differ are labels that every rule has for nothing. So labels are compared twice: the
duel's alone, and with these.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn
from rich.table import Table

from benchmarks.duels.offers import MIN_GAIN, Offer, Outcome, fixed, gate, joined, offer, points
from benchmarks.duels.world import LABELS, World, world
from training.judge.difference import Answers, difference
from training.judge.duel import BATCH, MAX_LABELS
from training.judge.metrics import wilson
from training.judge.sequential import ALPHA, Budget, information_goal

IN_A_ROW, GROWTH = 20, 20
"""Offers on one slice, and the audit rows that are new at each."""
BOLD = 0.15
"""How much oftener than equal_bold's champion its candidate is right where the truth is rare, before balancing."""
POPULATION = 1_000_000
"""Texts on which the true difference is checked."""


GAINS = {"equal": 0.0, "equal_bold": 0.0, "worse_2": -0.02, "better_3": MIN_GAIN, "better_6": 0.06}
"""The true difference of each kind of candidate."""


def worlds(disagreement: float) -> dict[str, World]:
    """The pairs of models, by name."""
    return {name: world(gain, disagreement, bold=BOLD * (name == "equal_bold")) for name, gain in GAINS.items()}


def simulate(
    pairs: dict[str, World], offers: int, audit_rows: int, seed: int, console: Console
) -> dict[str, list[tuple[Offer, Outcome]]]:
    """Every offer of every world and how the gate ends it, each world with random numbers of its own."""
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console) as bar:
        row = bar.add_task("offers", total=offers * len(pairs))
        ended: dict[str, list[tuple[Offer, Outcome]]] = {}
        for number, (name, pair) in enumerate(pairs.items()):
            generator = np.random.default_rng([seed, number])
            ended[name] = []
            for _ in range(offers):
                bar.update(row, description=name)
                one = offer(pair, pair.draw(audit_rows, generator), generator)
                ended[name].append((one, gate(one, Budget())[0]))
                bar.advance(row)
    return ended


def in_a_row(pair: World, offers: int, audit_rows: int, seed: int, console: Console) -> dict[str, Any]:
    """Years of IN_A_ROW equal candidates on one growing audit slice."""
    generator = np.random.default_rng([seed, 99])
    years: list[list[Outcome]] = []
    better: list[bool] = []
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console) as bar:
        for _ in bar.track(range(max(1, offers // IN_A_ROW)), description="in_a_row"):
            audit, budget = pair.draw(audit_rows, generator), Budget()
            years.append([])
            for _ in range(IN_A_ROW):
                candidate = pair.follow(audit.truth, audit.champion, generator)
                path = offer(pair, Answers(audit.truth, audit.champion, candidate), generator, MAX_LABELS)
                outcome, budget = gate(path, budget)
                years[-1].append(outcome)
                better.append(points(path))
                kept = Answers(audit.truth, candidate, candidate) if outcome.promoted else audit
                audit = joined(kept, pair.draw(GROWTH, generator))
    every = [outcome for year in years for outcome in year]
    return {
        "gate": _promoted([one.promoted for one in every]) | {"labels": _mean([one.labels for one in every])},
        "points": _promoted(better),
        "years": len(years),
        "years_with_a_promotion_by_audit_alone": sum(any(one.by_audit for one in year) for year in years),
    }


def fixed_labels(offers: Sequence[Offer], free: float, power: float) -> float:
    """The labels of a fixed-size test with this power, beside so many audit rows on which the models differ.

    The normal quantile of the power grows evenly with the root of the labels, so a straight line through the shares of
    all batches tells more than the share of one. Raises SystemExit where too few offers are left between the ends.
    """
    from scipy.stats import norm

    labels = BATCH * np.arange(len(offers[0].estimates))
    powers = np.array([np.mean([fixed(one, batches) for one in offers]) for batches in range(len(labels))])
    known = (powers > 0.4) & (powers < 0.985)
    if np.count_nonzero(known) < 3:
        raise SystemExit("benchmarks.gate: too few offers to tell the power of fixed-size tests; raise --offers")
    power = min(power, 1 - 0.5 / len(offers))
    slope, start = np.polyfit(np.sqrt(labels[known] + free), norm.ppf(powers[known]), 1)
    return float(((norm.ppf(power) - start) / slope) ** 2 - free)


def wald_share(gain: float, power: float) -> float | None:
    """The expected information of Wald's sequential test as a share of the fixed-size test's of the same errors.

    For a true gain of 0 or MIN_GAIN; None for others. Wald 1945: with A = power / ALPHA and B = (1 - power) /
    (1 - ALPHA) the log likelihood ratio ends at log A or log B and moves by MIN_GAIN^2 / 2 per unit of information.
    """
    upper, lower = np.log(power / ALPHA), np.log((1 - power) / (1 - ALPHA))
    whole = information_goal(MIN_GAIN, ALPHA, power) * MIN_GAIN**2 / 2
    if gain == 0:
        return float(-(ALPHA * upper + (1 - ALPHA) * lower) / whole)
    return float((power * upper + (1 - power) * lower) / whole) if gain == MIN_GAIN else None


def report(ended: dict[str, list[tuple[Offer, Outcome]]], pairs: dict[str, World], seed: int) -> dict[str, Any]:
    """The figures of every world: each rule's share of promotions, and its labels beside those of the fixed test."""
    offers = {name: [one for one, _ in some] for name, some in ended.items()}
    outcomes = {name: [outcome for _, outcome in some] for name, some in ended.items()}
    power = _mean([one.promoted for one in outcomes["better_3"]])
    free = _mean([int(path.estimates[0].counts[1:].sum()) for path in offers["better_3"]])
    whole = fixed_labels(offers["better_3"], free, power)
    found: dict[str, Any] = {}
    for name, some in offers.items():
        labels = _mean([one.labels for one in outcomes[name]])
        wald = wald_share(GAINS[name], power)
        checked = difference(pairs[name].draw(POPULATION, np.random.default_rng([seed, 7])), len(LABELS))
        found[name] = {
            "difference": pairs[name].difference,
            "difference_of_a_million": checked.gain,
            "accuracy_difference": pairs[name].accuracy_difference,
            **_promoted([one.promoted for one in outcomes[name]]),
            "labels": labels,
            "by_audit_alone": _mean([one.by_audit for one in outcomes[name]]),
            "labels_of_fixed": labels / whole,
            "labels_of_fixed_with_audit": (labels + free) / (whole + free),
            "points": _promoted([points(path) for path in some]),
            "fixed": _promoted([fixed(path, round(whole / BATCH)) for path in some]) | {"labels": whole},
            "wald": None if wald is None else {"labels": max(0.0, wald * (whole + free) - free), "with_audit": wald},
        }
    return found


def _promoted(each: Sequence[bool]) -> dict[str, Any]:
    return {"promoted": _mean(each), "promoted_interval": wilson(sum(each), len(each))}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


GOALS = (
    ("equal candidates promoted", "equal", "promoted", "at most", ALPHA),
    ("equal with another accuracy promoted", "equal_bold", "promoted", "at most", ALPHA),
    ("three points better promoted", "better_3", "promoted", "at least", 0.8),
    ("labels of the fixed test, three points better", "better_3", "labels_of_fixed", "at most", 0.75),
    ("labels of the fixed test, equal", "equal", "labels_of_fixed", "at most", 0.65),
)


def show(simulated: dict[str, Any], console: Console) -> None:
    """The table, and the goals."""
    table = Table(title="share promoted (with its 95 % interval), and mean labels of the duel")
    columns = ("true (of a million)", "gate", "labels", "points", "fixed", "of fixed", "with audit", "wald")
    table.add_column("models")
    for column in columns:
        table.add_column(column, justify="right")
    for name, one in simulated.items():
        if name == "in_a_row":
            continue
        low, high = one["promoted_interval"]
        table.add_row(
            name, f"{round(100 * one['difference']):+d} ({100 * one['difference_of_a_million']:+.2f})",
            f"{one['promoted']:.1%} ({100 * low:.1f}-{100 * high:.1f})", f"{one['labels']:.0f}",
            f"{one['points']['promoted']:.0%}",
            f"{one['fixed']['promoted']:.0%}, {one['fixed']['labels']:.0f}", f"{one['labels_of_fixed']:.2f}",
            f"{one['labels_of_fixed_with_audit']:.2f}",
            "" if one["wald"] is None else f"{one['wald']['with_audit']:.2f}",
        )  # fmt: skip
    console.print(table)
    row = simulated["in_a_row"]
    console.print(
        f"{IN_A_ROW} equal offers in a row: the gate promotes {row['gate']['promoted']:.1%} of offers "
        f"({row['gate']['labels']:.0f} labels each), points {row['points']['promoted']:.1%}; "
        f"{row['years_with_a_promotion_by_audit_alone']} of {row['years']} years had a promotion by audit rows alone."
    )
    for what, name, figure, side, goal in GOALS:
        value = simulated[name][figure]
        met = value <= goal if side == "at most" else value >= goal
        console.print(f"{'met   ' if met else 'MISSED'} {what}: {value:.3f}, {side} {goal}")


def main() -> None:
    """Simulate, print the table, and write JSON where asked."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--simulated", action="store_true", required=True, help="synthetic models, no training")
    add("--offers", type=int, default=600, help="candidates of each kind")
    add("--audit-rows", type=int, default=200)
    add("--disagreement", type=float, default=0.12, help="the share of texts on which the two models differ")
    add("--seed", type=int, default=0)
    add("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    console, pairs = Console(), worlds(given.disagreement)
    ended = simulate(pairs, given.offers, given.audit_rows, given.seed, console)
    simulated = report(ended, pairs, given.seed)
    simulated["in_a_row"] = in_a_row(pairs["equal"], given.offers, given.audit_rows, given.seed, console)
    show(simulated, console)
    if given.json:
        asked = {"offers": given.offers, "audit_rows": given.audit_rows, "disagreement": given.disagreement}
        rest = {"seed": given.seed, "max_labels": MAX_LABELS, "min_gain": MIN_GAIN, "alpha": ALPHA}
        given.json.write_text(json.dumps({"simulated": simulated, **asked, **rest}, indent=2) + "\n")


if __name__ == "__main__":
    main()
