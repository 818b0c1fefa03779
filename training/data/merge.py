"""Merges seed data and annotators' labels into one dataset, in which every text has one split for ever.

Near-duplicates share a split, because a test on the rewording of a train row measures memory. Nothing is stored here:
earlier places come in as `known`, all places go out in `splits`. The same input in any order gives the same rows.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from storage.records import Label, Purpose, Row, Split
from storage.text import as_stored, drawn, former_id, text_id
from training.data.clusters import components, near_duplicates
from training.data.seed import SeedData

Place = tuple[str, Split]
"""A text's cluster and its split."""

REPEATED = "seed data: the same sentence with the same label again"
CONTRADICTED = "seed data: the same sentence with different labels"
NEAR_AUDIT = "near an audit text"
NEAR_TEST = "label near a test row of the seed data"
BRIDGES = "bridges two splits"
STRICTER = "near a row of a stricter split"
REPLACED = "seed data: the annotators' label is used"

_STRICTNESS = {Split.TRAIN: 0, Split.VALIDATION: 1, Split.TEST: 2}


class MergePolicy(BaseModel):
    """How new clusters are divided into splits. A cluster that has a split keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    test_share: float = Field(default=0.15, ge=0.01, le=0.4, description="Share of the seed data kept for tests.")
    validation_share: float = Field(
        default=0.10, ge=0.01, le=0.4, description="Share of the seed data that chooses the best epoch."
    )
    label_validation_share: float = Field(
        default=0.10, ge=0.0, le=0.4, description="Share of annotators' labels that chooses the best epoch."
    )
    salt: str = Field(default="finloop", min_length=1, max_length=40, description="Another salt gives another split.")

    def hash(self) -> str:
        """SHA-256 of the fields as canonical JSON."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Merged:
    """The rows, sorted by text id; how many texts were dropped, by reason; all places, those of `known` included."""

    rows: tuple[Row, ...]
    dropped: dict[str, int]
    splits: dict[str, Place]


@dataclass(slots=True)
class _Candidate:
    """A text that may become a row: from the seed data, from annotators, or from both."""

    text: str
    seed: str | None = None
    label: str | None = None
    group: str | None = None


@dataclass(slots=True)
class _Ground:
    """What the places depend on: candidates sorted by id, near-duplicates as pairs of positions, and clusters."""

    ids: list[str]
    candidates: list[_Candidate]
    pairs: list[tuple[int, int]]
    clusters: list[list[int]]
    near_audit: set[int]
    dropped: Counter[str] = field(default_factory=Counter)


def merge(
    seed: SeedData,
    labels: Iterable[Label],
    audit_texts: Iterable[str],
    known: Mapping[str, Place],
    policy: MergePolicy,
) -> Merged:
    """One dataset from seed data and annotators' labels.

    Labels of selected texts are used, not those of audit texts, and no skips. Test rows come from the seed data alone.
    A text in the cluster of an audit text neither trains nor validates. A label in the cluster of a test row is
    dropped, and so is a new text that is near texts of two splits. Where annotators labelled a train row of the seed
    data, their label replaces the seed's.
    """
    answered = sorted(labels, key=lambda label: label.sequence)  # the newer of two labels of a text wins
    dropped: Counter[str] = Counter()
    candidates = _from_seed(seed, dropped)
    for label in answered:
        if label.purpose is Purpose.SELECT and label.label is not None:
            candidates.setdefault(label.text_id, _Candidate(as_stored(label.text))).label = label.label
    audit = {*audit_texts, *(label.text for label in answered if label.purpose is Purpose.AUDIT)}
    known = _with_former_ids(candidates, known)
    ground = _ground(candidates, audit, known)
    ground.dropped = dropped
    places = _places(ground, known, policy)
    rows = [row for position, place in places.items() if (row := _row(ground, position, place, seed.kind))]
    splits = {row.text_id: (row.cluster, row.split) for row in rows} | dict(known)
    rows.sort(key=lambda row: row.text_id)
    return Merged(tuple(rows), dict(sorted(dropped.items())), splits)


def _from_seed(seed: SeedData, dropped: Counter[str]) -> dict[str, _Candidate]:
    by_id: dict[str, list[str]] = {}
    texts: dict[str, str] = {}
    for row in seed.rows:
        identity = text_id(row.text)
        texts[identity] = as_stored(row.text)
        by_id.setdefault(identity, []).append(row.label)
    kept: dict[str, _Candidate] = {}
    for identity, given in by_id.items():
        if len(set(given)) > 1:
            dropped[CONTRADICTED] += len(given)
            continue
        if len(given) > 1:
            dropped[REPEATED] += len(given) - 1
        kept[identity] = _Candidate(texts[identity], seed=given[0], group=seed.groups.get(identity))
    return kept


def _with_former_ids(candidates: Mapping[str, _Candidate], known: Mapping[str, Place]) -> dict[str, Place]:
    """The known places, with those of texts that had another id in older datasets: they keep their split too."""
    formerly = {identity: former_id(one.text) for identity, one in candidates.items() if identity not in known}
    return {**known, **{identity: known[former] for identity, former in formerly.items() if former in known}}


def _ground(candidates: Mapping[str, _Candidate], audit: Iterable[str], known: Mapping[str, Place]) -> _Ground:
    """Clusters by near-duplication, by the groups of the seed data and by earlier clusters.

    Audit texts only mark the texts that must not train: they never join two clusters into one.
    """
    ids = sorted(candidates)
    chosen = [candidates[identity] for identity in ids]
    aside = sorted({as_stored(text) for text in audit})
    pairs = near_duplicates([candidate.text for candidate in chosen] + aside)
    own = [(one, other) for one, other in pairs if one < len(ids) and other < len(ids)]
    links = own + _chains([candidate.group for candidate in chosen])
    links += _chains([known[identity][0] if identity in known else None for identity in ids])
    clusters = _members(components(len(ids), links))
    with_audit = components(len(ids) + len(aside), links + pairs)
    tainted = set(with_audit[len(ids) :])
    near_audit = {position for position in range(len(ids)) if with_audit[position] in tainted}
    return _Ground(ids, chosen, own, clusters, near_audit)


def _chains(names: Sequence[str | None]) -> list[tuple[int, int]]:
    """Pairs that link all positions with the same name."""
    last: dict[str, int] = {}
    pairs = []
    for position, name in enumerate(names):
        if name is not None:
            if name in last:
                pairs.append((last[name], position))
            last[name] = position
    return pairs


def _members(numbers: Sequence[int]) -> list[list[int]]:
    clusters: dict[int, list[int]] = {}
    for position, number in enumerate(numbers):
        clusters.setdefault(number, []).append(position)
    return list(clusters.values())


def _places(ground: _Ground, known: Mapping[str, Place], policy: MergePolicy) -> dict[int, Place]:
    """The place of each candidate; a candidate without a place is counted as dropped."""
    places: dict[int, Place] = {}
    for members in ground.clusters:
        before = {known[ground.ids[member]] for member in members if ground.ids[member] in known}
        bridged = len({split for _, split in before}) > 1
        new = min(before) if before else _new_place(ground, members, policy)
        for member in members:
            if ground.ids[member] in known:
                places[member] = known[ground.ids[member]]
            elif bridged:
                ground.dropped[BRIDGES] += 1
            else:
                places[member] = new
    for one, other in ground.pairs:
        _separate(ground, places, one, other)
    return places


def _new_place(ground: _Ground, members: Sequence[int], policy: MergePolicy) -> Place:
    """The place of a new cluster, named by its first text of the seed data, so that later labels cannot rename it.

    A cluster of production texts alone is drawn by another hash: the lowest share of the plain hash may be audit texts
    (`in_audit`), and then no label would be left to validate.
    """
    of_seed = [ground.ids[member] for member in members if ground.candidates[member].seed is not None]
    cluster = min(of_seed or [ground.ids[member] for member in members])
    share = drawn(cluster if of_seed else f"label:{cluster}", policy.salt)
    if not of_seed:
        return cluster, Split.VALIDATION if share < policy.label_validation_share else Split.TRAIN
    if share < policy.test_share:
        return cluster, Split.TEST
    return cluster, Split.VALIDATION if share < policy.test_share + policy.validation_share else Split.TRAIN


def _separate(ground: _Ground, places: dict[int, Place], one: int, other: int) -> None:
    """Drop the looser of two near texts that earlier datasets put into different splits, each without the other."""
    if one in places and other in places and places[one][1] is not places[other][1]:
        looser = min(one, other, key=lambda position: _STRICTNESS[places[position][1]])
        del places[looser]
        ground.dropped[STRICTER] += 1


def _row(ground: _Ground, position: int, place: Place, seed: str) -> Row | None:
    """The row of a candidate at its place; `seed` is the origin of rows of the seed data."""
    candidate, (cluster, split) = ground.candidates[position], place
    if split is not Split.TEST and position in ground.near_audit:
        ground.dropped[NEAR_AUDIT] += 1
        return None
    label, origin = candidate.label, "label"
    if split is Split.TEST:
        if label is not None:
            ground.dropped[NEAR_TEST] += 1
        label, origin = candidate.seed, seed
    elif label is None:
        label, origin = candidate.seed, seed
    elif candidate.seed is not None:
        ground.dropped[REPLACED] += 1
    if label is None:
        return None
    return Row(ground.ids[position], candidate.text, label, split, origin, cluster)
