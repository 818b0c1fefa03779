"""The state of the loop as values, for `finloop status`. A server that does not respond is down, not an error."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import httpx

from storage.datasets.versions import Datasets
from storage.labels.annotations import Labels
from storage.labels.inbox import Inbox
from storage.labels.tasks import Tasks
from storage.models.places import unregistered
from storage.models.registry import Registry
from storage.records import Purpose, TaskState
from storage.texts.store import TextStore
from storage.work.outbox import Outbox
from storage.work.problems import Problems
from training.judge.metrics import wilson


@dataclass(frozen=True, slots=True)
class Counts:
    """The sizes of the stores. `labels_new` counts the trainable labels that no dataset has read yet."""

    text_store: str
    texts: dict[str, int]
    scored_last_by_version: dict[str, int]
    tasks: dict[str, int]
    webhooks: dict[str, int]
    labels_new: int


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How many of `n` audit labels a model predicted right, and the 95 % interval (Wilson) of their share."""

    right: int
    n: int
    low: float
    high: float


class State(StrEnum):
    """Whether a server responds. A server without an address was not started."""

    UP = "up"
    DOWN = "down"
    NOT_STARTED = "not started"


@dataclass(frozen=True, slots=True)
class Server:
    """One server's state and address."""

    state: State
    url: str | None


@dataclass(frozen=True, slots=True)
class Serving(Server):
    """The serving app, the version that it serves, and its last failure to load another version."""

    version: str | None = None
    last_error: str | None = None


class ProblemKind(StrEnum):
    """The subject of a problem."""

    INTENT = "intent"
    TRAINING = "training"
    WEBHOOKS = "webhooks"
    TASKS_GONE = "tasks gone"
    TASKS_ELSEWHERE = "tasks elsewhere"
    SERVING = "serving"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem for a person. `subject` is the name of its object, `count` the number of objects or of attempts."""

    kind: ProblemKind
    subject: str
    detail: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Standing:
    """The whole state. `production_accuracy` is None until the champion has scored a text with an audit label."""

    counts: Counts
    retrain_after: int
    production_accuracy: Accuracy | None
    models: dict[str, str]
    served: Serving
    label_studio: Server
    prefect: Server
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """The values for JSON, the counts on the same level as the others."""
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
    """The champion's accuracy on the audit labels, by its stored predictions."""
    champion = registry.aliases().get("champion")
    truth = {label.text_id: label.label for label in labels.audit()}
    right = [
        text.prediction.label == truth[text_id]
        for text_id, text in texts.get(list(truth)).items()
        if text.prediction is not None and text.prediction.model_version == champion
    ]
    return Accuracy(sum(right), len(right), *wilson(sum(right), len(right))) if right else None


def look_at(url: str | None, path: str) -> Server:
    """The state of a server, by a request of `path`."""
    if url is None:
        return Server(State.NOT_STARTED, url)
    try:
        httpx.get(url + path, timeout=3).raise_for_status()
    except httpx.HTTPError:
        return Server(State.DOWN, url)
    return Server(State.UP, url)


def look_at_serving(url: str | None) -> Serving:
    """The state of the serving app, by its own report."""
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


def find_models(registry: Registry) -> tuple[Problem, ...]:
    """Trained models that wait for their registration, and versions of other people, which are passed over."""
    waiting = "a trained model whose registration failed; the next retrain registers it"
    found = [Problem(ProblemKind.MODEL, str(folder), waiting, 1) for folder in unregistered(registry.artifacts)]
    found += [Problem(ProblemKind.MODEL, f"version {one.version}", one.reason, 1) for one in registry.foreign()]
    return tuple(found)


def find_problems(
    outbox: Outbox, noted: Problems, inbox: Inbox, tasks: Tasks, label_studio_url: str | None, serving: Serving
) -> tuple[Problem, ...]:
    """Failed intents, noted problems, failed webhooks, tasks missing or on another server, and a failed load."""
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
