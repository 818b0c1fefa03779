"""The problems that `finloop status` names: what a person must see, or do something about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from flows.steps.servers import Receiver, Server, Serving, State
from storage.clock import now
from storage.errors import CorruptModel
from storage.labels.inbox import Inbox
from storage.labels.projects import Left, Projects
from storage.labels.tasks import Tasks
from storage.models.places import unregistered
from storage.models.registry import Registry
from storage.work.outbox import Outbox
from storage.work.problems import Problems

CHANGE_IS_NEWS = timedelta(days=7)
"""How long status says what became of Label Studio's tasks and database: nothing tells us when a person has read it."""

IN_USE = {"champion", "previous"}
"""The aliases of the versions that are served, or that a rollback would serve."""


class ProblemKind(StrEnum):
    """The subject of a problem."""

    INTENT = "intent"
    TRAINING = "training"
    WEBHOOKS = "webhooks"
    TASKS_GONE = "tasks gone"
    TASKS_ELSEWHERE = "tasks elsewhere"
    STUDIO_CHANGED = "label studio changed"
    SERVING = "serving"
    MODEL = "model"
    SERVER = "server"
    RUNS = "runs"
    REFUSED = "refused webhooks"
    PUT_ASIDE = "webhooks put aside"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem for a person. `subject` is the name of its object, `count` the number of objects or of attempts."""

    kind: ProblemKind
    subject: str
    detail: str | None
    count: int


def changed_servers(projects: Projects, label_studio_url: str) -> list[Problem]:
    """A problem for each project of ours whose place another took on this server in the last days."""
    return [
        Problem(ProblemKind.STUDIO_CHANGED, f"Label Studio at {label_studio_url}", _said_change(left), 1)
        for left in projects.left(label_studio_url)
        if left.at > now() - CHANGE_IS_NEWS
    ]


def _said_change(left: Left) -> str:
    return (
        f"it is not as this home knew it: since {left.at:%Y-%m-%d %H:%M} UTC {left.why}, as after a reset. "
        "All labels are kept, and `finloop sync` asks again about the texts without an answer"
    )


def _of_receiver(receiver: Receiver) -> list[Problem]:
    found = []
    if receiver.refused:
        said = ", ".join(f"{count} with {status}" for status, count in sorted(receiver.refused.items()))
        found.append(Problem(ProblemKind.REFUSED, receiver.url or "", said, sum(receiver.refused.values())))
    if receiver.put_aside:
        found.append(Problem(ProblemKind.PUT_ASIDE, receiver.url or "", None, receiver.put_aside))
    return found


def find_models(registry: Registry) -> tuple[Problem, ...]:
    """Trained models that wait for their registration, other people's versions, and damaged ones in use."""
    waiting = "a trained model that is not registered yet; the next retrain registers it"
    found = [Problem(ProblemKind.MODEL, str(folder), waiting, 1) for folder in unregistered(registry.artifacts)]
    found += [Problem(ProblemKind.MODEL, one.named, one.reason, 1) for one in registry.foreign()]
    return (*found, *_damaged(registry))


def _damaged(registry: Registry) -> list[Problem]:
    """A problem for the champion, and for the version of a rollback, whose folder is not as it was registered.

    Reading the files of a FinBERT takes .4 s.
    """
    found = []
    for one in registry.versions():
        if IN_USE & set(one.aliases):
            try:
                registry.folder(one.version)
            except CorruptModel as error:
                found.append(Problem(ProblemKind.MODEL, one.named, str(error), 1))
    return found


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
    if missing := tasks.missing(since=now() - CHANGE_IS_NEWS):
        found.append(Problem(ProblemKind.TASKS_GONE, "Label Studio", None, missing))
    if label_studio_url is not None:
        elsewhere = tasks.open_elsewhere(label_studio_url)
        found += [Problem(ProblemKind.TASKS_ELSEWHERE, server, label_studio_url, n) for server, n in elsewhere.items()]
        found += changed_servers(projects, label_studio_url)
    for name, server in servers.items():
        if server.state is State.DOWN:
            found.append(Problem(ProblemKind.SERVER, name, server.url, 1))
        if isinstance(server, Receiver):
            found += _of_receiver(server)
        if isinstance(server, Serving) and server.last_error is not None:
            found.append(Problem(ProblemKind.SERVING, server.url or "", server.last_error, 1))
    found += [Problem(ProblemKind.RUNS, deployment, said, 1) for deployment, said in overdue]
    return tuple(found)
