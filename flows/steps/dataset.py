"""Builds the dataset of the next training: seed data and all labels, merged, split and stored under their hash."""

from collections import Counter
from typing import TYPE_CHECKING

from storage.clock import now
from storage.datasets.parents import annotators
from storage.datasets.rows import dataset_hash
from storage.datasets.versions import Datasets
from storage.errors import BadInput, Part
from storage.labels.annotations import Labels
from storage.records import DatasetVersion, Split
from storage.texts.store import TextStore

if TYPE_CHECKING:
    from training.data.merge import MergePolicy
    from training.data.seed import SeedData


def build_dataset(
    labels: Labels, texts: TextStore, datasets: Datasets, seed: "SeedData", policy: "MergePolicy"
) -> DatasetVersion:
    """The dataset to train on: the unjudged dataset of an interrupted run, else a new dataset of all labels.

    An unjudged dataset of other seed data or another merge policy is not used: the current settings count. Raises
    BadInput, and stores nothing, where the dataset would have no train row or no validation row.
    """
    parent = seed.parent(policy.hash())
    unfinished = datasets.unjudged(seed=parent, policy=policy.hash())
    if unfinished is not None:
        return datasets.load(unfinished)
    from training.data.merge import merge

    snapshot = labels.snapshot()
    audit_texts = [text.text for text in texts.random_audit(seed=0)] + [label.text for label in snapshot.audit]
    merged = merge(seed, snapshot.trainable, audit_texts, datasets.splits(), policy)
    dataset = DatasetVersion(
        version=dataset_hash(merged.rows),
        created_at=now(),
        parents=(parent, annotators(merged.rows, policy.hash())),
        label_watermark=snapshot.watermark,
        policy=policy.hash(),
        rows=merged.rows,
        dropped=merged.dropped,
    )
    _check_trainable(dataset)
    datasets.save(dataset, merged.splits)
    return dataset


def _check_trainable(dataset: DatasetVersion) -> None:
    """Raise BadInput before an untrainable dataset is stored, because every later retrain would take it up."""
    rows = Counter(row.split for row in dataset.rows)
    if not rows[Split.TRAIN] or not rows[Split.VALIDATION]:
        raise BadInput(
            f"the seed data {dataset.parents[0].name} and the labels so far give {rows[Split.TRAIN]} train and "
            f"{rows[Split.VALIDATION]} validation rows; a training needs both",
            Part.SEED_DATA,
        )
