"""Compares a model version with another one, and with baselines, on rows that neither of the two versions learnt from.

Every number of a report comes from models that are run now; nothing is read from a manifest but the exposure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flows.steps.judge import Learnt, audit_slice, learnt_by, near_trained
from storage.clock import now
from storage.datasets.versions import Datasets
from storage.errors import BadInput, UnknownVersion
from storage.labels.annotations import Labels
from storage.models.manifest import ADOPTED
from storage.models.registry import ModelVersion, Registry
from storage.records import Row, Split
from storage.scheme import Scheme
from storage.text import text_id
from storage.texts.store import TextStore

if TYPE_CHECKING:
    from training.judge.evaluate import Evaluation, Examples


@dataclass(frozen=True, slots=True)
class Ground:
    """One set of rows, and what each model said of them. `known` has facts of the rows: kind -> a value for each."""

    title: str
    about: str
    this: "Evaluation | None"
    other: "Evaluation | None"
    baselines: Mapping[str, "Evaluation"]
    known: Mapping[str, Sequence[str | None]]
    exposed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a version beside another one, on each ground. `notes` say what is missing, and why."""

    version: ModelVersion
    other: ModelVersion | None
    made_at: str
    grounds: tuple[Ground, ...]
    notes: tuple[str, ...] = field(default=())


def report(
    name: str,
    against: str | None,
    registry: Registry,
    labels: Labels,
    datasets: Datasets,
    texts: TextStore,
    scheme: Scheme,
    words: Path | None,
) -> Report:
    """Run a version, another one and the baselines on the audit slice and on the test rows of the version's dataset.

    Without `against` the other version is the champion, or `previous` where the version is the champion. Raises
    UnknownVersion for an unknown version or a dataset that is gone, CorruptModel for damaged files, BadInput for a list
    of words that cannot be read.
    """
    from training.judge.baselines import read_words
    from training.judge.evaluate import rows_as_examples

    version = registry.resolve(name)
    other = _other(version, against, registry)
    both = [version] if other is None else [version, other]
    listed = read_words(words, scheme) if words is not None else None
    learnt = [_learnt(one, registry, datasets) for one in both]
    rows = _rows(version, datasets)
    train, validation = (rows_as_examples(row for row in rows if row.split is split) for split in _TRAINED)
    audit, tested = audit_slice(labels, learnt), _unseen([row for row in rows if row.split is Split.TEST], learnt)
    given = [audit, rows_as_examples(tested)]
    this = _run(version, registry, scheme, given)
    before = [None, None] if other is None else _run(other, registry, scheme, given)
    notes: list[str] = []
    baselines = _baselines(train, validation, given, scheme, listed, notes)
    sources: dict[str, list[str | None]] = {"source": [row.origin for row in tested]}
    told = (
        ("Audit slice", AUDIT, _of_texts(audit, texts), ()),
        ("Test rows of the dataset", TESTED, sources, _exposed(both)),
    )
    grounds = [
        Ground(title, about, this[at], before[at], {one: found[at] for one, found in baselines.items()}, known, exposed)
        for at, (title, about, known, exposed) in enumerate(told)
    ]
    return Report(version, other, now().isoformat()[:16].replace("T", " ") + " UTC", tuple(grounds), tuple(notes))


AUDIT = (
    "Production texts that chance chose and annotators answered without seeing a model's answer: these scores estimate "
    "the accuracy in production."
)
TESTED = "Rows that the version's dataset keeps for tests: they say whether the model still knows what it began with."
_TRAINED = (Split.TRAIN, Split.VALIDATION)


def _other(version: ModelVersion, against: str | None, registry: Registry) -> ModelVersion | None:
    if against is not None:
        chosen = registry.resolve(against)
        if chosen.version == version.version:
            raise BadInput(f"version {version.version} cannot be compared with itself; name another with --against")
        return chosen
    aliases = registry.aliases()
    named = (aliases[alias] for alias in ("champion", "previous") if alias in aliases)
    found = next((number for number in named if number != version.version), None)
    return None if found is None else registry.resolve(found)


def _learnt(version: ModelVersion, registry: Registry, datasets: Datasets) -> Learnt:
    try:
        return learnt_by(version, registry, datasets)
    except UnknownVersion as error:
        raise UnknownVersion(
            f"version {version.version} learnt from dataset {version.manifest.dataset_version!r}, which is gone, so "
            "nothing says which rows are new to it.\nRestore the database, or report on another version."
        ) from error


def _rows(version: ModelVersion, datasets: Datasets) -> tuple[Row, ...]:
    name = version.manifest.dataset_version
    return () if name.startswith(ADOPTED) else datasets.load(name).rows


def _unseen(rows: list[Row], learnt: list[Learnt]) -> list[Row]:
    seen = near_trained([row.text for row in rows], learnt)
    return [row for at, row in enumerate(rows) if at not in seen]


def _run(
    version: ModelVersion, registry: Registry, scheme: Scheme, given: "Sequence[Examples]"
) -> "list[Evaluation | None]":
    from training.judge.evaluate import evaluate
    from training.model.classifier import Classifier

    model = Classifier.load(registry.folder(version.version), scheme.names)
    return [evaluate(model, some) if len(some) else None for some in given]


def _baselines(
    train: "Examples",
    validation: "Examples",
    given: "list[Examples]",
    scheme: Scheme,
    words: dict[str, str] | None,
    notes: list[str],
) -> "dict[str, list[Evaluation]]":
    """Name -> its answers on each set of rows. A baseline that cannot be made leaves a note."""
    from training.judge.baselines import by_words, majority, tf_idf

    if not len(train):
        notes.append("There are no baselines: this version was trained elsewhere, so nothing is known of its rows.")
        return {}
    found = {"majority label": [majority(train, some, scheme.names) for some in given]}
    if words is None:
        notes.append("There is no word-list baseline: FINLOOP_SENTIMENT_WORDS names no list.")
    else:
        found["word list"] = [by_words(words, train, some, scheme.names) for some in given]
    try:
        found["TF-IDF"] = tf_idf(train, validation, given, scheme.names)
    except BadInput as error:
        notes.append(f"There is no TF-IDF baseline: {error}.")
    return found


def _of_texts(audit: "Examples", texts: TextStore) -> dict[str, list[str | None]]:
    """Source and month of the audit rows, where the store of texts has them."""
    ids = [text_id(text) for text in audit.texts]
    found = texts.get(ids) if ids else {}
    stored = [found.get(one) for one in ids]
    return {
        "source": [None if one is None else one.source or None for one in stored],
        "month": [None if one is None or one.published_at is None else f"{one.published_at:%Y-%m}" for one in stored],
    }


def _exposed(versions: list[ModelVersion]) -> tuple[str, ...]:
    return tuple(f"version {one.version} ({one.manifest.base_model})" for one in versions if one.manifest.exposed)
