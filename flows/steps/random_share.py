"""The random share of a candidate's labels: what it tells by itself of the candidate's gain, and when to train on it.

Where chance drew all labels, the gain cost these labels and no second model is needed. Else `flows/steps/yardstick.py`
trains one, which takes as long as the candidate took: so a home does it each time that its labels have doubled.
"""

from dataclasses import dataclass

from flows.steps.worth import milestones
from labeling.ask.reasons import Kind
from storage.datasets.parents import LABEL
from storage.datasets.versions import Datasets
from storage.labels.tasks import Tasks
from storage.models.registry import ModelVersion, Registry
from storage.models.worth import LEAST_AUDIT_ROWS, LearningCurve, WhenTrained, Yardstick
from storage.records import Row

LEAST_RANDOM = 20
"""With fewer random labels, what they brought is luck."""


@dataclass(frozen=True, slots=True)
class RandomShare:
    """A candidate's rows less the labels that were not drawn at random, and its numbers of `labels` and `random` ones.

    `first` is its recipe's first version, over which the labels brought their gain.
    """

    first: ModelVersion
    candidate: ModelVersion
    rows: tuple[Row, ...]
    labels: int
    random: int

    def unknown(self, audit_rows: int, fault: str) -> Yardstick:
        """A yardstick without a number, and why there is none."""
        return self.found(audit_rows).model_copy(update={"fault": fault})

    def found(self, audit_rows: int, gain: float = 0.0) -> Yardstick:
        """A yardstick without a cost."""
        return Yardstick(
            version=self.candidate.version,
            audit_rows=audit_rows,
            labels=self.labels,
            gain=gain,
            random_labels=self.random,
        )


def random_share(candidate: ModelVersion, registry: Registry, tasks: Tasks, datasets: Datasets) -> RandomShare:
    """The candidate's seed data and the labels of texts that chance alone chose."""
    rows = datasets.load(candidate.manifest.dataset_version).rows
    drawn = {one.text_id for one in tasks.sent() if one.reason is not None and one.reason.get("kind") == Kind.RANDOM}
    kept = tuple(row for row in rows if row.origin != LABEL or row.text_id in drawn)
    labels, random = (sum(row.origin == LABEL for row in some) for some in (rows, kept))
    return RandomShare(milestones(candidate, registry)[0], candidate, kept, labels, random)


def told_by_curve(share: RandomShare, curve: LearningCurve) -> Yardstick | None:
    """The yardstick where a second model would tell nothing new: something is missing, or all labels were random."""
    fault = _fault(share, curve)
    if fault is not None:
        return share.unknown(curve.audit_rows, fault)
    if share.random < share.labels:
        return None
    gain, cost = curve.points[-1].gain, float(share.labels)
    found = share.found(curve.audit_rows, gain)
    return found.model_copy(update={"random_gain": gain, "cost": cost, "low": cost, "high": cost})


def is_due(when: WhenTrained, share: RandomShare, registry: Registry) -> bool:
    """Whether to train on the share: by a wish, else where the last yardstick that was trained had half the labels.

    The first one is always due, unless the wish is never.
    """
    if when != "doubled":
        return when == "always"
    trained = [one for one in _kept(registry) if one.trained]
    return not trained or share.labels >= 2 * trained[-1].labels


def last_yardstick(registry: Registry) -> Yardstick | None:
    """The newest version's yardstick that has a number."""
    return next(reversed(_kept(registry)), None)


def _kept(registry: Registry) -> list[Yardstick]:
    """The yardsticks that have a number, oldest version first."""
    kept = [version.evidence.yardstick for version in registry.versions()]
    return [one for one in kept if one is not None and one.fault is None]


def _fault(share: RandomShare, curve: LearningCurve) -> str | None:
    if share.first.version == share.candidate.version:
        return "there is no earlier version of its recipe"
    if curve.fault is not None:
        return curve.fault
    if curve.audit_rows < LEAST_AUDIT_ROWS:
        least = f"of at least {LEAST_AUDIT_ROWS}; run `finloop audit` and answer its tasks"
        return f"{curve.audit_rows} answered audit rows {least}"
    ran = {point.version for point in curve.points}
    for one in (share.first, share.candidate):
        if one.version not in ran:
            return f"version {one.version} cannot be loaded"
    if share.random < LEAST_RANDOM:
        return f"{share.random} of its labels were drawn at random, of at least {LEAST_RANDOM}"
    return None
