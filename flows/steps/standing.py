"""The state of the loop as values, for `finloop status`."""

import re
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from flows.steps.new_labels import NewLabels
from flows.steps.servers import Server, Serving
from flows.steps.troubles import Problem
from storage.labels.annotations import Labels
from storage.labels.inbox import Inbox
from storage.labels.tasks import Tasks
from storage.models.registry import Registry
from storage.models.worth import Evidence
from storage.records import Purpose, TaskState
from storage.texts.store import TextStore
from storage.work.outbox import Outbox
from training.judge.metrics import wilson


@dataclass(frozen=True, slots=True)
class Counts:
    """The sizes of the stores.

    `labels_new` counts the labels that the next retrain would learn from, and `labels_dropped` the other new ones.
    `untouched` counts the answers that accepted a prefilled answer as it stood.
    """

    text_store: str
    texts: dict[str, int]
    scored_last_by_version: dict[str, int]
    tasks: dict[str, int]
    webhooks: dict[str, int]
    intents: int
    labels_new: int
    labels_dropped: int
    untouched: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many of `n` audit labels a model predicted right, and the 95 % interval (Wilson) of their share."""

    right: int
    n: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Standing:
    """The whole state. `production_accuracy` is None until the champion has scored a text with an audit label.

    `evidence` is the newest of each kind that a retrain has measured.
    """

    counts: Counts
    bytes_used: dict[str, int]
    retrain_after: int
    production_accuracy: Accuracy | None
    models: dict[str, str]
    served: Serving
    label_studio: Server
    prefect: Server
    problems: tuple[Problem, ...]
    evidence: Evidence = field(default_factory=Evidence)

    def to_json(self) -> dict[str, Any]:
        """The values for JSON, the counts on the same level as the others."""
        found = asdict(self)
        return {**found.pop("counts"), **found, "evidence": self.evidence.model_dump(mode="json")}


def count(texts: TextStore, tasks: Tasks, inbox: Inbox, outbox: Outbox, labels: Labels, new: NewLabels) -> Counts:
    """Count texts, tasks, webhooks, intents and answers; `new` are the labels that no dataset has read."""
    stored, by_purpose = texts.counts(), tasks.counts()
    return Counts(
        text_store=texts.describe(),
        texts={"all": stored.texts, "audit": stored.audit},
        scored_last_by_version=stored.predicted,
        tasks={
            f"{purpose} {state}": by_purpose[purpose][state]
            for purpose in Purpose
            for state in TaskState
            if by_purpose.get(purpose, {}).get(state)
        },
        webhooks=inbox.counts(),
        intents=outbox.count(),
        labels_new=new.kept,
        labels_dropped=new.given - new.kept,
        untouched=labels.untouched(),
    )


def bytes_used(home: Path) -> dict[str, int]:
    """The bytes of each file and folder of a home; a database has those of its journals too."""
    used: Counter[str] = Counter()
    for path in home.rglob("*"):
        with suppress(OSError):  # a file may go while the home is read
            if path.is_file() and not path.is_symlink():
                name = path.relative_to(home).parts[0]
                used[re.sub(r"\.db-(wal|shm|journal)$", ".db", name)] += path.stat().st_size
    return dict(used)


def production_accuracy(texts: TextStore, labels: Labels, registry: Registry) -> Accuracy | None:
    """The champion's accuracy on the audit labels, by its stored predictions."""
    champion = registry.aliases().get("champion")
    truth = {label.text_id: label.label for label in labels.audit()}
    right = [
        text.prediction.label == truth[text_id]
        for text_id, text in texts.get(list(truth)).items()
        if text.prediction is not None and text.prediction.model_version == champion
    ]
    return Accuracy(sum(right), len(right), *wilson(sum(right), len(right))) if right else None


def newest_evidence(registry: Registry) -> Evidence:
    """The newest evidence of each kind: a yardstick, say, is not measured at every retrain."""
    found = Evidence()
    for version in registry.versions():
        measured = {name: value for name, value in version.evidence if value is not None}
        found = found.model_copy(update=measured)
    return found
