"""The values that every room shares: plain and frozen, so that reading one needs no database and no model.

A label is always the label's name in the home's label scheme (`storage.scheme`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Purpose(StrEnum):
    """Why a text was sent to annotators: to measure (audit) or to learn (select)."""

    AUDIT = "audit"
    SELECT = "select"


class TaskState(StrEnum):
    """The state of a label task; a text has at most one task.

    A withdrawn task is not worth a label any more: Label Studio does not have the task, or is about to lose it.
    """

    RESERVED = "reserved"
    SENT = "sent"
    ANSWERED = "answered"
    SKIPPED = "skipped"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One model version's prediction for one text. `scores` and `logits` map the labels' names to numbers."""

    label: str
    scores: Mapping[str, float]
    logits: Mapping[str, float]
    confidence: float
    margin: float
    model_version: str
    predicted_at: datetime


@dataclass(frozen=True, slots=True)
class Text:
    """A production text. `audit` is fixed for ever at ingest; `prediction` is the newest prediction."""

    text_id: str
    text: str
    source: str
    audit: bool
    ingested_at: datetime
    published_at: datetime | None = None
    prediction: Prediction | None = None


@dataclass(frozen=True, slots=True)
class LabelTask:
    """One text for annotators. Its address (`server`, `project_id`, `epoch`, `task_id`) is None until it was sent.

    `reason` says why the text was chosen (None for the audit), and `worth` is its place in the order of asking, 1 is
    first. A missing task was not at its address when Label Studio was last asked.
    """

    text_id: str
    text: str
    source: str
    purpose: Purpose
    state: TaskState
    batch_id: str
    prediction: Prediction | None = None
    server: str | None = None
    project_id: int | None = None
    task_id: int | None = None
    epoch: str | None = None
    missing: bool = False
    reason: Mapping[str, Any] | None = None
    worth: int | None = None


@dataclass(frozen=True, slots=True)
class AnnotationKey:
    """An annotation's number and where it is valid: a server whose database was replaced begins at 1 again."""

    server: str
    project_id: int
    annotation_id: int
    epoch: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotator's answer at one moment; `label` is None for a skip.

    `open`: the annotation holds no answer at this moment: it was taken back, is empty, or is no label of the scheme.
    `untouched`: the model's prefilled answer was accepted as it stood.
    """

    key: AnnotationKey
    task_id: int
    text_id: str
    label: str | None
    annotator: str
    updated_at: datetime
    open: bool = False
    untouched: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """The label of a text, None where its annotations agree on none. `sequence` numbers the changes of all labels."""

    text_id: str
    text: str
    purpose: Purpose
    label: str | None
    annotations: int
    sequence: int


class Split(StrEnum):
    """Where a row may be used; a near-duplicate cluster has one split for ever."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled example of a dataset; `origin` names the parent that the row came from."""

    text_id: str
    text: str
    label: str
    split: Split
    origin: str
    cluster: str


class ParentKind(StrEnum):
    """What a dataset can be made from: seed data of a format, or the annotators' labels."""

    PHRASEBANK = "phrasebank"
    CSV = "csv"
    LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Parent:
    """One source of a dataset's rows: `name` is for people, `hash` is the hash of the content.

    `policy` is the hash of the policy that split the rows; `origin` is the origin of the rows from this parent.
    """

    kind: ParentKind
    name: str
    hash: str
    policy: str
    origin: str


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """An immutable dataset: `version` is the hash of its rows, `parents` are their sources, seed data first.

    `label_watermark` is the number of the newest label change that was read. `dropped` maps a reason to the number of
    texts that were left out for that reason.
    """

    version: str
    created_at: datetime
    parents: tuple[Parent, ...]
    label_watermark: int
    policy: str
    rows: tuple[Row, ...] = field(repr=False)
    dropped: Mapping[str, int] = field(default_factory=dict)
