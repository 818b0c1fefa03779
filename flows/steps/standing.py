"""The state of the loop as values, for `finloop status`. A server that does not respond is down, not an error."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx

from storage.clock import now
from storage.datasets.versions import Datasets
from storage.labels.annotations import Labels
from storage.labels.inbox import Inbox
from storage.labels.projects import Left, Projects
from storage.labels.tasks import Tasks
from storage.models.registry import Registry
from storage.records import Purpose, TaskState
from storage.texts.store import TextStore
from storage.work.outbox import Outbox
from storage.work.problems import Problems
from training.judge.metrics import wilson

CHANGE_IS_NEWS = timedelta(days=7)
"""How long status says that Label Studio is not the server that we knew: nothing tells us when a person has read it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The sizes of the stores. `labels_new` counts the trainable labels that no dataset has read yet."""

    text_store: str
    texts: dict[str, int]
    scored_last_by_version: dict[str, int]
    tasks: dict[str, int]
    webhooks: dict[str, int]
    intents: int
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
    STUDIO_CHANGED = "label studio changed"
    SERVING = "serving"
    SERVER = "server"
    RUNS = "runs"


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
    bytes_used: dict[str, int]
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


def count(texts: TextStore, tasks: Tasks, inbox: Inbox, outbox: Outbox, labels: Labels, datasets: Datasets) -> Counts:
    """Count texts, tasks, webhooks, intents and new labels."""
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
        labels_new=labels.trainable_since(datasets.watermark()),
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


def changed_servers(projects: Projects, label_studio_url: str) -> list[Problem]:
    """A problem for each project of ours whose place another took on this server in the last days."""
    return [
        Problem(ProblemKind.STUDIO_CHANGED, f"Label Studio at {label_studio_url}", _said_change(left), 1)
        for left in projects.left(label_studio_url)
        if left.at > now() - CHANGE_IS_NEWS
    ]


def _said_change(left: Left) -> str:
    return (
        f"it is not the server that this home knew before {left.at:%Y-%m-%d %H:%M} UTC, since {left.why}. "
        "All labels are kept, and `finloop sync` asks again about the texts without an answer"
    )


def find_problems(
    outbox: Outbox,
    noted: Problems,
    inbox: Inbox,
    tasks: Tasks,
    projects: Projects,
    label_studio_url: str | None,
    servers: Mapping[str, Server],
    overdue: Sequence[tuple[str, str]],
) -> tuple[Problem, ...]:
    """Failed intents, noted problems, failed webhooks, tasks missing or on another server, and servers' troubles.

    `servers` are the servers by name; `overdue` are deployments whose runs need a person, and what is wrong.
    A Label Studio that is not the one that we knew is a problem for CHANGE_IS_NEWS.
    """
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
        found += changed_servers(projects, label_studio_url)
    for name, server in servers.items():
        if server.state is State.DOWN:
            found.append(Problem(ProblemKind.SERVER, name, server.url, 1))
        if isinstance(server, Serving) and server.last_error is not None:
            found.append(Problem(ProblemKind.SERVING, server.url or "", server.last_error, 1))
    found += [Problem(ProblemKind.RUNS, deployment, said, 1) for deployment, said in overdue]
    return tuple(found)
