"""What `finloop status` says: values as JSON for scripts, sentences for people."""

from deployments.cli.terminal import counted, show_facts
from flows.steps.standing import (
    Accuracy,
    Problem,
    ProblemKind,
    Server,
    Serving,
    Standing,
    State,
    count,
    find_models,
    find_problems,
    look_at,
    look_at_serving,
    production_accuracy,
)
from flows.wiring.parts import Parts


def show_standing(found: Standing) -> None:
    """Print a table with a sentence or some numbers for each step of the loop."""
    counts = found.counts
    show_facts(
        {
            "text store": counts.text_store,
            "texts": counted(counts.texts),
            "scored last by version": counted(counts.scored_last_by_version),
            "tasks": counted(counts.tasks),
            "webhooks": counted(counts.webhooks),
            "until the next retrain": f"{counts.labels_new} of {found.retrain_after} labels",
            "production accuracy": said_accuracy(found.production_accuracy),
            "models": counted(found.models),
            "served": _said_serving(found.served),
            "label studio": _said_server(found.label_studio),
            "prefect": _said_server(found.prefect),
            "problems": "\n".join(said_problem(one) for one in found.problems) or "none",
        },
        "finloop",
    )


def standing(parts: Parts) -> Standing:
    """How things stand, by these parts."""
    settings, served = parts.settings, look_at_serving(parts.settings.serving_url)
    studio = settings.label_studio_url
    return Standing(
        counts=count(parts.texts, parts.tasks, parts.inbox, parts.labels, parts.datasets),
        retrain_after=settings.retrain_after,
        production_accuracy=production_accuracy(parts.texts, parts.labels, parts.registry),
        models=parts.registry.aliases(),
        served=served,
        label_studio=look_at(studio, "/health"),
        prefect=look_at(settings.prefect_url, "/api/health"),
        problems=(
            *find_problems(parts.outbox, parts.problems, parts.inbox, parts.tasks, studio, served),
            *find_models(parts.registry),
        ),
    )


def said_accuracy(found: Accuracy | None) -> str:
    """Production accuracy in words."""
    if found is None:
        return "unknown: the champion has scored no text that an audit answer is about; run `finloop score`"
    return f"{found.right / found.n:.3f} ({found.low:.3f} to {found.high:.3f}) on {found.n} audit answers"


def said_problem(problem: Problem) -> str:
    """A problem in a sentence."""
    match problem.kind:
        case ProblemKind.INTENT:
            return f"{problem.subject}: {problem.detail} (tried {problem.count} times)"
        case ProblemKind.TRAINING | ProblemKind.MODEL:
            return f"{problem.subject}: {problem.detail}"
        case ProblemKind.WEBHOOKS:
            return f"{problem.count} webhooks could not be understood; their rows in the inbox say why"
        case ProblemKind.TASKS_GONE:
            gone = "1 task is" if problem.count == 1 else f"{problem.count} tasks are"
            return f"{gone} gone from Label Studio; their labels are kept"
        case ProblemKind.TASKS_ELSEWHERE:
            return (
                f"{problem.count} tasks wait at {problem.subject}, not at today's Label Studio "
                f"(FINLOOP_LABEL_STUDIO_URL={problem.detail}): nobody reads what is answered there"
            )
        case ProblemKind.SERVING:
            return f"serving: {problem.detail}"


def _said_serving(served: Serving) -> str:
    if served.state is State.UP:
        return "no model yet" if served.version is None else f"version {served.version}"
    return _said_server(served)


def _said_server(server: Server) -> str:
    return server.state if server.state is State.NOT_STARTED else f"{server.state} at {server.url}"
