"""How the loop stands, from the stores themselves; a part that does not answer is said to be down, not an error."""

from typing import Any

import httpx

from flows.wiring.parts import Parts
from storage.records import Purpose, TaskState
from training.judge.metrics import wilson


def standing(parts: Parts) -> dict[str, Any]:
    """Counts, labels until the next retrain, served and registered models, problems: fit for JSON."""
    settings = parts.settings
    counts = parts.texts.counts()
    new = parts.labels.trainable_since(parts.datasets.watermark())
    return {
        "text_store": parts.texts.describe(),
        "texts": {"all": counts.texts, "audit": counts.audit},
        "scored_last_by_version": counts.predicted,
        "tasks": _tasks(parts),
        "webhooks": parts.inbox.counts(),
        "until_the_next_retrain": f"{new} of {settings.retrain_after} labels",
        "production_accuracy": production_accuracy(parts),
        "models": parts.registry.aliases(),
        "served": _served(settings.serving_url),
        "label_studio": _answers(settings.label_studio_url, "/health"),
        "prefect": _answers(settings.prefect_url, "/api/health"),
        "problems": problems(parts),
    }


def problems(parts: Parts) -> list[str]:
    """What a person should know: failed promotions, unsent events, failed webhooks, tasks gone or on another server."""
    found = [f"{intent.key}: {intent.last_error} (tried {intent.attempts} times)" for intent in parts.outbox.troubled()]
    found += [f"{problem.key}: {problem.reason}" for problem in parts.problems.open()]
    failed = parts.inbox.counts().get("failed", 0)
    if failed:
        found.append(f"{failed} webhooks could not be understood; their rows in the inbox say why")
    missing = parts.tasks.missing()
    if missing:
        gone = "1 task is" if missing == 1 else f"{missing} tasks are"
        found.append(f"{gone} gone from Label Studio; their labels are kept")
    if (studio := parts.settings.label_studio_url) is not None:
        found += [
            f"{count} tasks wait at {address}, not at the Label Studio of now (FINLOOP_LABEL_STUDIO_URL={studio}): "
            "nobody reads what is answered there"
            for address, count in parts.tasks.open_elsewhere(studio).items()
        ]
    model = _model(parts.settings.serving_url)
    if model is not None and model.get("last_error"):
        found.append(f"serving: {model['last_error']}")
    return found


def production_accuracy(parts: Parts) -> str:
    """The champion's accuracy on the audit answers, with its 95 % interval (Wilson), by the scores it gave before."""
    champion = parts.registry.aliases().get("champion")
    labels = {label.text_id: label.label for label in parts.labels.audit()}
    right = [
        text.prediction.label == labels[text_id]
        for text_id, text in parts.texts.get(list(labels)).items()
        if text.prediction is not None and text.prediction.model_version == champion
    ]
    if not right:
        return "unknown: the champion has scored no text that an audit answer is about; run `finloop score`"
    low, high = wilson(sum(right), len(right))
    return f"{sum(right) / len(right):.3f} ({low:.3f} to {high:.3f}) on {len(right)} audit answers"


def _tasks(parts: Parts) -> dict[str, int]:
    counts = parts.tasks.counts()
    return {
        f"{purpose} {state}": counts[purpose][state]
        for purpose in Purpose
        for state in TaskState
        if counts.get(purpose, {}).get(state)
    }


def _served(url: str | None) -> str:
    model = _model(url)
    if model is None:
        return "down" if url else "not started"
    return f"version {model['version']}" if model.get("version") else "no model yet"


def _model(url: str | None) -> dict[str, Any] | None:
    if url is None:
        return None
    try:
        answer = httpx.get(f"{url}/model", timeout=3)
    except httpx.TransportError:
        return None
    return dict(answer.json()) if answer.headers.get("content-type", "").startswith("application/json") else None


def _answers(url: str | None, path: str) -> str:
    if url is None:
        return "not started"
    try:
        httpx.get(url + path, timeout=3).raise_for_status()
    except httpx.HTTPError:
        return f"down at {url}"
    return f"up at {url}"
