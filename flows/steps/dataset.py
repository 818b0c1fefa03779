"""Builds the dataset of the next training: seed data and all labels, merged, split and stored under their hash."""

from typing import TYPE_CHECKING

from storage.clock import now
from storage.datasets.parents import annotators
from storage.datasets.rows import dataset_hash
from storage.datasets.versions import Datasets
from storage.labels.annotations import Labels, LabelSnapshot
from storage.records import DatasetVersion
from storage.scheme import Scheme
from storage.texts.store import TextStore

if TYPE_CHECKING:
    from training.data.merge import Merged, MergePolicy
    from training.data.seed import SeedData


def build_dataset(
    labels: Labels,
    texts: TextStore,
    datasets: Datasets,
    seed: "SeedData",
    policy: "MergePolicy",
    scheme: Scheme,
) -> DatasetVersion:
    """The dataset to train on: the unjudged dataset of an interrupted run, else a new dataset of all labels.

    An unjudged dataset of other seed data or another merge policy is not used: the current settings count. Raises
    BadInput, and stores nothing, where a label would have no train row, or where there would be no validation row:
    every later retrain would take such a dataset up.
    """
    parent = seed.parent(policy.hash())
    unfinished = datasets.unjudged(seed=parent, policy=policy.hash())
    if unfinished is not None:
        return datasets.load(unfinished)
    from training.data.trainable import check_trainable

    snapshot = labels.snapshot()
    result = merged(snapshot, texts, datasets, seed, policy)
    dataset = DatasetVersion(
        version=dataset_hash(result.rows),
        created_at=now(),
        parents=(parent, annotators(result.rows, policy.hash())),
        label_watermark=snapshot.watermark,
        policy=policy.hash(),
        rows=result.rows,
        dropped=result.dropped,
    )
    check_trainable(result.rows, scheme.names, f"the seed data {parent.name} and the labels so far", policy)
    datasets.save(dataset, result.splits)
    return dataset


def merged(
    snapshot: LabelSnapshot, texts: TextStore, datasets: Datasets, seed: "SeedData", policy: "MergePolicy"
) -> "Merged":
    """What a training would see of these labels; nothing is stored."""
    from training.data.merge import merge

    audit_texts = [text.text for text in texts.random_audit(seed=0)] + [label.text for label in snapshot.audit]
    return merge(seed, snapshot.trainable, audit_texts, datasets.splits(), policy)
