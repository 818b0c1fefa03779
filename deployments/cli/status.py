"""What `finloop status` says: values as JSON for scripts, sentences for people."""

from collections.abc import Callable
from contextlib import closing

from deployments.cli.terminal import counted, show_facts
from flows.prefect_api.connection import Connection, RunFailed
from flows.prefect_api.watch import Watch
from flows.steps.new_labels import count_new
from flows.steps.servers import Server, Serving, State, look_at, look_at_receiver, look_at_serving
from flows.steps.standing import Accuracy, Standing, bytes_used, count, newest_evidence, production_accuracy
from flows.steps.troubles import Problem, ProblemKind, find_models, find_problems
from flows.wiring.parts import Parts
from flows.wiring.settings import Settings
from storage.clock import now
from storage.errors import Refused, Unreachable
from storage.models.worth import MORE, Evidence
from storage.records import Purpose, TaskState


def show_standing(found: Standing) -> None:
    """Print a table with a sentence or some numbers for each step of the loop."""
    counts = found.counts
    show_facts(
        {
            "text store": counts.text_store,
            "texts": counted(counts.texts),
            "scored": _said_scored(found),
            "tasks": counted(counts.tasks),
            "webhooks": counted(counts.webhooks),
            **_said_untouched(counts.untouched),
            "until the next retrain": _said_new(found),
            "production accuracy": said_accuracy(
                found.production_accuracy,
                champion="champion" in found.models,
                answered=f"{Purpose.AUDIT} {TaskState.ANSWERED}" in counts.tasks,
            ),
            **_said_evidence(found.evidence),
            "models": counted(found.models),
            "served": _said_serving(found.served),
            "label studio": _said_server(found.label_studio),
            "prefect": _said_server(found.prefect),
            "kept": f"{sum(counts.webhooks.values()):,} webhooks, {counts.intents:,} intents; {_said_bytes(found)}",
            "problems": "\n".join(said_problem(one) for one in found.problems) or "none",
        },
        "finloop",
    )


def standing(parts: Parts) -> Standing:
    """How things stand, by these parts."""
    settings, served = parts.settings, look_at_serving(parts.settings.serving_url)
    studio = look_at(settings.label_studio_url, "/health")
    prefect = look_at(settings.prefect_url, "/api/health")
    receiver = look_at_receiver(settings.receiver_url)
    servers = {"Label Studio": studio, "Prefect": prefect, "serving": served, "the receiver": receiver}
    new = count_new(parts.labels, parts.texts, parts.datasets, lambda: parts.seed)
    noted = (parts.outbox, parts.problems, parts.inbox, parts.tasks, parts.projects)
    return Standing(
        counts=count(parts.texts, parts.tasks, parts.inbox, parts.outbox, parts.labels, new),
        bytes_used=bytes_used(settings.home),
        retrain_after=settings.retrain_after,
        production_accuracy=production_accuracy(parts.texts, parts.labels, parts.registry),
        models=parts.registry.aliases(),
        served=served,
        label_studio=studio,
        prefect=prefect,
        problems=(
            *find_problems(*noted, settings.label_studio_url, servers, _overdue(prefect, settings)),
            *find_models(parts.registry),
        ),
        evidence=newest_evidence(parts.registry),
    )


def said_accuracy(found: Accuracy | None, *, champion: bool = True, answered: bool = True) -> str:
    """Production accuracy in words; where it is unknown, the first step that is missing."""
    if found is not None:
        return f"{found.right / found.n:.3f} ({found.low:.3f} to {found.high:.3f}) on {found.n} audit answers"
    if not champion:
        return "unknown: there is no champion yet; `finloop retrain` makes the first"
    if not answered:
        return "unknown: there is no audit answer yet; run `finloop audit` and answer its tasks"
    return "unknown: the champion has scored no text that an audit answer is about; run `finloop score`"


def said_problem(problem: Problem) -> str:
    """A problem in a sentence."""
    return SENTENCES[problem.kind](problem)


def _tasks_gone(problem: Problem) -> str:
    gone = "1 task is" if problem.count == 1 else f"{problem.count} tasks are"
    return f"{gone} gone from Label Studio, or with another text there; labels are kept"


def _tasks_elsewhere(problem: Problem) -> str:
    return (
        f"{problem.count} tasks wait at {problem.subject}, not at today's Label Studio "
        f"(FINLOOP_LABEL_STUDIO_URL={problem.detail}): nobody reads what is answered there"
    )


SENTENCES: dict[ProblemKind, Callable[[Problem], str]] = {
    ProblemKind.INTENT: lambda one: f"{one.subject}: {one.detail} (tried {one.count} times)",
    ProblemKind.TRAINING: lambda one: f"{one.subject}: {one.detail}",
    ProblemKind.STUDIO_CHANGED: lambda one: f"{one.subject}: {one.detail}",
    ProblemKind.WEBHOOKS: lambda one: f"{one.count} webhooks could not be understood; their rows in the inbox say why",
    ProblemKind.TASKS_GONE: _tasks_gone,
    ProblemKind.TASKS_ELSEWHERE: _tasks_elsewhere,
    ProblemKind.SERVING: lambda one: f"serving: {one.detail}",
    ProblemKind.SERVER: lambda one: (
        f"{one.subject} is down at {one.detail}; `finloop up` starts what it started before"
    ),
    ProblemKind.MODEL: lambda one: f"{one.subject}: {one.detail}",
    ProblemKind.RUNS: lambda one: f"{one.subject}: {one.detail}",
    ProblemKind.REFUSED: lambda one: (
        f"the receiver at {one.subject} refused {one.count} webhooks since its start ({one.detail}); 401 means another "
        "secret than FINLOOP_WEBHOOK_SECRET"
    ),
    ProblemKind.PUT_ASIDE: lambda one: (
        f"{one.count} webhooks wait in the folder webhooks of the home, until the label store takes them"
    ),
}
"""How `finloop status` says each kind of problem."""


def _overdue(prefect: Server, settings: Settings) -> list[tuple[str, str]]:
    """The deployments whose runs need a person; none where the Prefect server cannot say."""
    if prefect.state is not State.UP:
        return []
    try:
        with closing(Connection(settings.prefect_server)) as server:
            return [(one.deployment, one.said) for one in Watch(server).overdue(now())]
    except (Unreachable, Refused, RunFailed) as error:
        return [("Prefect", str(error))]


def _said_scored(found: Standing) -> str:
    """How many texts have a score of the champion, and how many have the score of another version or none."""
    every, by_version = found.counts.texts["all"], dict(found.counts.scored_last_by_version)
    champion = found.models.get("champion")
    ours = by_version.pop(champion, 0) if champion else 0
    by_others, never = sum(by_version.values()), every - ours - sum(by_version.values())
    said = f"{ours:,} of {every:,} by the champion (version {champion})" if champion else "there is no champion yet"
    others = f"; {by_others:,} last by {', '.join(f'version {one}' for one in sorted(by_version))}" if by_others else ""
    return said + others + (f"; {never:,} never" if never else "")


def _said_untouched(untouched: int) -> dict[str, str]:
    """A line for the answers that agree with a prefilled answer, which may be less than a person's own answer."""
    return {"untouched answers": f"{untouched:,}: the prefilled answer was accepted as it stood"} if untouched else {}


def _said_evidence(evidence: Evidence) -> dict[str, str]:
    """A line for each thing that a retrain has measured of the labels."""
    measured = {
        f"next {MORE} labels": evidence.curve,
        "the gain at random": evidence.yardstick,
        "change by labels": evidence.stability,
    }
    return {name: found.sentence for name, found in measured.items() if found is not None}


def _said_new(found: Standing) -> str:
    said = f"{found.counts.labels_new} of {found.retrain_after} labels"
    if dropped := found.counts.labels_dropped:
        said += f"; {dropped} more cannot train: their texts are near audit or test texts"
    return said


def _said_bytes(found: Standing) -> str:
    """The folders and files of the home, largest first, in MB."""
    largest = sorted(found.bytes_used.items(), key=lambda one: -one[1])
    return ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in largest if size >= 1e5) or "less than 0.1 MB"


def _said_serving(served: Serving) -> str:
    if served.state is State.UP:
        return "no model yet" if served.version is None else f"version {served.version}"
    return _said_server(served)


def _said_server(server: Server) -> str:
    return server.state if server.state is State.NOT_STARTED else f"{server.state} at {server.url}"
