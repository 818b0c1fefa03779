"""What labels brought and what more of them would bring: evidence beside a model version, and its sentences.

Scores are macro-F1 from 0 to 1, as everywhere; only `Worth` and the sentences count points, which are hundredths.
Unknown fields are passed over, so that an older finloop reads the evidence of a newer one.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from storage.models.stability import Stability

LEAST_AUDIT_ROWS = 20
"""With fewer audit rows nothing is said of the worth of labels: the normal approximation of errors has no ground."""
MORE = 100
"""The number of further labels whose worth is told."""
FURTHEST = 10
"""A number of random labels beyond this many times the labels that were asked for is only said to be larger."""

WhenTrained = Literal["never", "doubled", "always"]
"""When a retrain trains a second model for its yardstick: doubled is with twice the labels of the last one."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Worth(_Value):
    """What further labels would bring, in points of macro-F1 (hundredths), with the 95 % interval."""

    points: float
    low: float
    high: float


class CurvePoint(_Value):
    """A version on the audit rows. `gain` is its macro-F1 less the first version's, with its standard error."""

    version: str
    labels: int
    macro_f1: float
    gain: float = 0.0
    error: float = 0.0


class LearningCurve(_Value):
    """Versions of one recipe on the same audit rows, oldest first, and what the next MORE labels are worth.

    `worth` is None where there are too few audit rows, or no version with more labels than the first. `fault` says why
    no version was run.
    """

    audit_rows: int
    points: tuple[CurvePoint, ...]
    worth: Worth | None = None
    fault: str | None = None

    @property
    def sentence(self) -> str:
        """The worth of the next labels, or what is missing to tell it."""
        if self.fault is not None:
            return f"unknown: {self.fault}"
        if self.audit_rows < LEAST_AUDIT_ROWS:
            return (
                f"unknown: {_rows(self.audit_rows)} that no version trained near, of at least {LEAST_AUDIT_ROWS}; "
                "run `finloop audit` and answer its tasks"
            )
        if self.worth is None:
            return "unknown until a version with labels can be compared with the first one of the same recipe"
        one = self.worth
        ground = f"from the audit slice of {self.audit_rows:,} rows and {len(self.points)} versions"
        between = f"({unsigned(one.low)} to {unsigned(one.high)})"
        if one.low <= 0 <= one.high:
            return f"the worth of the next {MORE} labels cannot be told from nothing {between}, {ground}"
        return f"the next {MORE} labels are worth about {signed(one.points)} points of macro-F1 {between}, {ground}"


class Yardstick(_Value):
    """How many random labels the gain of a version would have cost, by a model that trained on the random share alone.

    `gain` and `random_gain` are macro-F1 above the first version's on the same audit rows. `cost` is a number of random
    labels, `low` to `high` its 95 % interval; None is a number without a bound. `fault` says why there is no number.
    Where all labels were random no other model was trained: the cost is the number of the labels.
    """

    version: str
    audit_rows: int
    labels: int
    gain: float
    random_labels: int
    random_gain: float = 0.0
    cost: float | None = None
    low: float | None = None
    high: float | None = None
    fault: str | None = None

    @property
    def trained(self) -> bool:
        """Whether a model of the random share was trained for it."""
        return self.fault is None and self.random_labels < self.labels

    @property
    def sentence(self) -> str:
        """What the labels of which version brought, and what the same gain would have cost at random."""
        if self.fault is not None:
            return f"unknown for version {self.version}: {self.fault}"
        gain = f"{signed(100 * self.gain)} points on {self.audit_rows:,} audit rows"
        brought = f"the {self.labels:,} labels of version {self.version} brought {gain}"
        if not self.trained:
            cost = f"the gain cost {self.labels:,} random labels" if self.gain > 0 else "there is no gain to compare"
            return f"{brought}, and all of them were drawn at random: {cost}"
        alone = f"{self.random_labels:,} random labels alone brought {signed(100 * self.random_gain)} points"
        if self.gain <= 0:
            return f"{brought}: there is no gain to compare; {alone}"
        cost, between = self._said(self.cost), f" ({self._said(self.low)} to {self._said(self.high)})"
        if cost[0].isdigit():
            cost = f"about {cost}"
        elif self._said(self.low) == cost:
            between = ""
        return f"{brought}; the same gain at random would have cost {cost} labels{between}: {alone}"

    def _said(self, count: float | None) -> str:
        most = FURTHEST * self.labels
        return f"more than {most:,}" if count is None or count > most else f"{count:,.0f}"


class Evidence(_Value):
    """All that was measured of a version after its verdict; a version of an earlier finloop has none of it."""

    curve: LearningCurve | None = None
    yardstick: Yardstick | None = None
    stability: Stability | None = None


def signed(points: float) -> str:
    """Points with their sign and one decimal, such as +.8 or -1.4."""
    return f"{points:+.1f}".replace("+0.", "+.").replace("-0.", "-.")


def unsigned(points: float) -> str:
    """Points with one decimal, such as .2 or -.4."""
    return signed(points).removeprefix("+")


def _rows(count: int) -> str:
    return {0: "there is no answered audit row", 1: "there is 1 answered audit row"}.get(
        count, f"there are {count} answered audit rows"
    )
