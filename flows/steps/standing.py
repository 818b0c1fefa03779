"""How the loop stands, as values. A part that does not answer is said to be down: that is no error."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import httpx

from storage.datasets.versions import Datasets
from storage.labels.annotations import Labels
from storage.labels.inbox import Inbox
from storage.labels.tasks import Tasks
from storage.models.registry import Registry
from storage.records import Purpose, TaskState
from storage.texts.store import TextStore
from storage.work.outbox import Outbox
from storage.work.problems import Problems
from training.judge.metrics import wilson


@dataclass(frozen=True, slots=True)
class Counts:
    """What there is. `labels_new` are the trainable labels that no dataset holds yet."""

    text_store: str
    texts: dict[str, int]
    scored_last_by_version: dict[str, int]
    tasks: dict[str, int]
    webhooks: dict[str, int]
    labels_new: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many audit answers a model agrees with, and the 95 % interval (Wilson) of their share."""

    right: int
    n: int
    low: float
    high: float


class State(StrEnum):
    """Whether a part answers; one without an address was not started."""

    UP = "up"
    DOWN = "down"
    NOT_STARTED = "not started"


@dataclass(frozen=True, slots=True)
class Part:
    """One part and its address."""

    state: State
    url: str | None


@dataclass(frozen=True, slots=True)
class Serving(Part):
    """The service, the version that it answers with, and the last failure to load another."""

    version: str | None = None
    last_error: str | None = None


class ProblemKind(StrEnum):
    """What a problem is about."""

    INTENT = "intent"
    TRAINING = "training"
    WEBHOOKS = "webhooks"
    TASKS_GONE = "tasks gone"
    TASKS_ELSEWHERE = "tasks elsewhere"
    SERVING = "serving"


@dataclass(frozen=True, slots=True)
class Problem:
    """What a person should know. `subject` names the thing, `count` says how many of it or how often it was tried."""

    kind: ProblemKind
    subject: str
    detail: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The whole of it. `production_accuracy` is None until the champion has scored a text with an audit answer."""

    counts: Counts
    retrain_after: int
    production_accuracy: Accuracy | None
    models: dict[str, str]
    served: Serving
    label_studio: Part
    prefect: Part
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """The values as JSON takes them, the counts beside the others."""
        found = asdict(self)
        return {**found.pop("counts"), **found}


def count(texts: TextStore, tasks: Tasks, inbox: Inbox, labels: Labels, datasets: Datasets) -> Counts:
    """Count texts, tasks, webhooks and new labels."""
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
        labels_new=labels.trainable_since(datasets.watermark()),
    )


def production_accuracy(texts: TextStore, labels: Labels, registry: Registry) -> Accuracy | None:
    """The champion's accuracy on the audit answers, by the scores that it gave before they were answered."""
    champion = registry.aliases().get("champion")
    answers = {label.text_id: label.label for label in labels.audit()}
    right = [
        text.prediction.label == answers[text_id]
        for text_id, text in texts.get(list(answers)).items()
        if text.prediction is not None and text.prediction.model_version == champion
    ]
    return Accuracy(sum(right), len(right), *wilson(sum(right), len(right))) if right else None


def look_at(url: str | None, path: str) -> Part:
    """Whether a server answers at a path."""
    if url is None:
        return Part(State.NOT_STARTED, url)
    try:
        httpx.get(url + path, timeout=3).raise_for_status()
    except httpx.HTTPError:
        return Part(State.DOWN, url)
    return Part(State.UP, url)


def look_at_serving(url: str | None) -> Serving:
    """What the service says of itself."""
    if url is None:
        return Serving(State.NOT_STARTED, url)
    try:
        model = dict(httpx.get(f"{url}/model", timeout=3).json())
    except (httpx.TransportError, ValueError):
        return Serving(State.DOWN, url)
    failed = model.get("last_error")
    return Serving(
        State.UP, url, model.get("version"), f"version {failed['version']}: {failed['reason']}" if failed else None
    )


def find_problems(
    outbox: Outbox, noted: Problems, inbox: Inbox, tasks: Tasks, label_studio_url: str | None, serving: Serving
) -> tuple[Problem, ...]:
    """Failed promotions, unsent events, webhooks that failed, tasks gone or on another server, a failed load."""
    found = [
        Problem(ProblemKind.INTENT, intent.key, intent.last_error, intent.attempts) for intent in outbox.troubled()
    ]
    found += [Problem(ProblemKind.TRAINING, one.key, one.reason, 1) for one in noted.open()]
    if failed := inbox.counts().get("failed", 0):
        found.append(Problem(ProblemKind.WEBHOOKS, "inbox", None, failed))
    if missing := tasks.missing():
        found.append(Problem(ProblemKind.TASKS_GONE, "Label Studio", None, missing))
    if label_studio_url is not None:
        elsewhere = tasks.open_elsewhere(label_studio_url)
        found += [Problem(ProblemKind.TASKS_ELSEWHERE, server, label_studio_url, n) for server, n in elsewhere.items()]
    if serving.last_error is not None:
        found.append(Problem(ProblemKind.SERVING, serving.url or "", serving.last_error, 1))
    return tuple(found)
