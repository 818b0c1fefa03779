"""From labels to a judged and registered candidate, in steps that each can be repeated after a crash.

The steps are plain functions over the parts: the retrain flow, the demo's first champion and the tests run the same
ones. What names a candidate is its dataset's hash and its recipe's, so a step that was done is found, not repeated.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.intents import Deploy, Promote
from flows.steps.recover import end_unfinished
from flows.wiring.parts import Parts
from flows.wiring.policies import RetrainPolicy
from storage.clock import now
from storage.datasets.parents import annotators
from storage.datasets.rows import dataset_hash
from storage.errors import BadInput
from storage.models.registry import ModelVersion
from storage.records import DatasetVersion, Split

if TYPE_CHECKING:
    from training.judge.evaluate import Examples
    from training.judge.gate import Judgement


NO_CHAMPION = "there is no champion yet: `finloop retrain` trains the first, from the seed data alone"
Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A registered model that was judged: the champion it met is None for the first."""

    version: ModelVersion
    champion: ModelVersion | None
    judgement: "Judgement"


def champion_of(parts: Parts) -> ModelVersion | None:
    """The version that the alias champion names, if any."""
    name = parts.registry.aliases().get("champion")
    return None if name is None else parts.registry.resolve(name)


def build_dataset(parts: Parts, policy: RetrainPolicy) -> DatasetVersion | None:
    """The dataset to train on now: an unjudged one left by a killed run first, else seed data plus all labels.

    A dataset that was left with other seed data or another merge policy is passed over. None where the newest labels
    are in a dataset whose model was judged already: there is nothing new. Raises BadInput, and stores nothing, where no
    row would train or none would validate.
    """
    seed, split_by = parts.seed, policy.merge.hash()
    unfinished = parts.datasets.unjudged(seed=seed.parent(split_by), policy=split_by)
    if unfinished is not None:
        return parts.datasets.load(unfinished)
    from training.data.merge import merge

    labels = parts.labels.snapshot()
    audit_texts = [text.text for text in parts.texts.random_audit(seed=0)]
    audit_texts += [label.text for label in labels.audit]
    merged = merge(seed, labels.trainable, audit_texts, parts.datasets.splits(), policy.merge)
    dataset = DatasetVersion(
        version=dataset_hash(merged.rows),
        created_at=now(),
        parents=(seed.parent(split_by), annotators(merged.rows, split_by)),
        label_watermark=labels.watermark,
        policy=split_by,
        rows=merged.rows,
        dropped=merged.dropped,
    )
    _check_trainable(dataset)
    judged = parts.registry.find(dataset.version, recipe_hash(parts, policy))
    parts.datasets.save(dataset, merged.splits)
    if judged is not None and judged.verdict is not None:
        _finish(parts, dataset, judged.verdict)
        return None
    return dataset


def _check_trainable(dataset: DatasetVersion) -> None:
    """Refused here, since a stored dataset that cannot be trained on would be taken up by every later retrain."""
    rows = Counter(row.split for row in dataset.rows)
    if not rows[Split.TRAIN] or not rows[Split.VALIDATION]:
        raise BadInput(
            f"the seed data {dataset.parents[0].name} and the labels so far give {rows[Split.TRAIN]} train and "
            f"{rows[Split.VALIDATION]} validation rows (FINLOOP_SEED_DATA); a training needs both.\n"
            "Add labelled texts to that file, or set it to `sample`, to `hub`, or to another folder or CSV."
        )


def recipe_hash(parts: Parts, policy: RetrainPolicy) -> str:
    """What, beside the dataset, decides a training's outcome."""
    return policy.recipe.hash_on(parts.settings.base_model)


def train_candidate(
    parts: Parts, dataset: DatasetVersion, policy: RetrainPolicy, progress: Progress | None = None
) -> ModelVersion:
    """Train on a dataset from the base model and register the result; one that is registered already is returned."""
    from storage.models.manifest import Manifest, write_manifest
    from training.model.finetune import finetune

    recipe = recipe_hash(parts, policy)
    known = parts.registry.find(dataset.version, recipe)
    if known is not None:
        return known
    home = parts.settings.home.resolve()
    for left in home.glob("training-*"):  # by a run that was killed: whoever trains holds the lease, so none is alive
        shutil.rmtree(left, ignore_errors=True)
    workplace = Path(tempfile.mkdtemp(prefix="training-", dir=home))
    try:
        made = finetune(
            dataset.rows, parts.base_model, policy.recipe, workplace / "model", parts.scheme.names, progress
        )
        write_manifest(
            made.folder,
            Manifest(
                base_model=parts.base_model.name,
                exposed=parts.base_model.exposed,
                dataset_version=dataset.version,
                recipe=policy.recipe.model_dump(mode="json"),
                recipe_hash=recipe,
                metrics={**made.metrics, "training_seconds": made.seconds},
                scheme=parts.scheme.name,
                labels=made.labels,
                created_at=now(),
            ),
        )
        return parts.registry.register(made.folder)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


def judge_candidate(parts: Parts, version: ModelVersion, dataset: DatasetVersion, policy: RetrainPolicy) -> Candidate:
    """Run champion and candidate on the same frozen rows, now, and have the gate decide.

    The audit rows are those answered so far that no row of either training set resembles.
    """
    from training.judge.evaluate import rows_as_examples
    from training.judge.gate import judge
    from training.model.classifier import Classifier

    champion = champion_of(parts)
    if champion is not None and champion.version == version.version:
        champion = None
    judgement = judge(
        None if champion is None else Classifier.load(parts.registry.folder(champion.version), parts.scheme.names),
        Classifier.load(parts.registry.folder(version.version), parts.scheme.names),
        audit_slice(parts, [dataset.version, *([champion.manifest.dataset_version] if champion else [])]),
        rows_as_examples(row for row in dataset.rows if row.split is Split.TEST),
        parts.scheme.obvious,
        policy.gate,
    )
    return Candidate(version, champion, judgement)


def audit_slice(parts: Parts, dataset_versions: list[str]) -> "Examples":
    """The answered audit rows that are no near-duplicate of a row that trained in any of these datasets."""
    from training.judge.evaluate import examples

    labels = parts.labels.audit()
    seen = near_trained(parts, dataset_versions, [label.text for label in labels])
    return examples(
        (label.text, label.label) for index, label in enumerate(labels) if index not in seen and label.label is not None
    )


def near_trained(parts: Parts, dataset_versions: Sequence[str], texts: Sequence[str]) -> set[int]:
    """The positions of the texts that resemble a row that trained, or chose the epoch, in any of these datasets."""
    from training.data.clusters import near_duplicates

    trained = {
        row.text
        for version in set(dataset_versions)
        for row in parts.datasets.load(version).rows
        if row.split is not Split.TEST
    }
    return {mine for mine, _ in near_duplicates(texts, list(trained))}


def record_decision(parts: Parts, candidate: Candidate, dataset: DatasetVersion) -> None:
    """Keep the verdict; a promoted candidate becomes the challenger, and its deployment is intended.

    The intents are committed before the verdict closes the dataset, so that a crash in between repeats the judging
    and intends the same once more, under the same keys.
    """
    version = candidate.version.version
    verdict = {
        **candidate.judgement.verdict.model_dump(mode="json"),
        "champion": candidate.champion.version if candidate.champion else None,
        "candidate": version,
        "dataset": dataset.version,
    }
    parts.registry.record_verdict(version, verdict)
    if candidate.judgement.verdict.promoted:
        parts.registry.set_alias("challenger", version)
        parts.outbox.intend(Promote(version))
        parts.outbox.intend(Deploy(version, attempt=1))
    _finish(parts, dataset, verdict)


def _finish(parts: Parts, dataset: DatasetVersion, verdict: dict[str, Any]) -> None:
    """Mark a dataset as judged, and end the problems of trainings on the labels that are in it."""
    parts.datasets.record_verdict(dataset.version, verdict)
    end_unfinished(parts.problems, dataset.label_watermark)
