"""The project and webhook that are ours on a Label Studio server: made once, found again, put right, never deleted.

Label Studio makes two of whatever is asked for twice, so making happens under a lease, and what was made is known by
its stored id, or by a marker in its description where the id was lost. A server that answers at another address than
before (our own, whose port was taken) keeps its tasks and labels. Names and colours are left to the people there.
"""

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from labeling.studio.client import NotThere, Studio
from labeling.studio.interface import INSTRUCTIONS, LABEL_CONFIG
from storage.labels.projects import ProjectIds, Projects
from storage.work.leases import Leases

TITLE = "finloop"
MODEL_NAME = "finloop"
"""The model version of every prediction sent: annotators see only those of the project's own, so that it must not
change with the champion, or tasks sent before a swap would lose their prefilled answer. The real one is task data."""

SECRET_HEADER = "X-Finloop-Secret"
WEBHOOK_PATH = "/webhooks/label-studio"
"""Where the receiver listens."""

ACTIONS = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "TASKS_DELETED")
PROJECT_LEASE = timedelta(seconds=60)


def ensure_project(
    studio: Studio,
    projects: Projects,
    leases: Leases,
    webhook_url: str,
    webhook_secret: str,
    marker: str,
) -> ProjectIds:
    """Our project there, with its webhook, as they should be; made if there is none yet.

    Raises Unreachable or Refused within 10 s where the server does not play along, Busy where another process holds
    the lease for longer than a minute.
    """
    studio.check()
    lease = "project:" + hashlib.sha256(studio.url.encode()).hexdigest()[:16]
    with leases.hold(lease, PROJECT_LEASE, wait=PROJECT_LEASE):
        if projects.get(studio.url) is None and (before := _address_before(studio, projects, webhook_secret)):
            projects.move(before, studio.url)
        project = _find(studio, projects.get(studio.url), marker) or _make(studio, marker)
        # Remembered at once: whoever comes after a crash here finds this project, and makes only its webhook.
        known = projects.get(studio.url)
        if known is None or known.project_id != project["id"]:
            known = ProjectIds(project["id"], None)
            projects.put(studio.url, known)
        _heal(studio, project, marker)
        ids = ProjectIds(project["id"], _webhook(studio, known, webhook_url, webhook_secret))
        projects.put(studio.url, ids)
    return ids


def _address_before(studio: Studio, projects: Projects, webhook_secret: str) -> str | None:
    """The address that this server had when we were here last, known by our webhook, whose secret is nobody else's."""
    for address, ids in projects.elsewhere(studio.url).items():
        if ids.webhook_id is None:
            continue
        try:
            hook = studio.get(f"/api/webhooks/{ids.webhook_id}/")
        except NotThere:
            continue
        if hook["project"] == ids.project_id and hook["headers"].get(SECRET_HEADER) == webhook_secret:
            return address
    return None


def marker_of(name: str) -> str:
    """What a project's description holds, so that one whose id was lost is found again."""
    return f"[finloop:{name}]"


def _find(studio: Studio, known: ProjectIds | None, marker: str) -> dict[str, Any] | None:
    if known is not None:
        try:
            return dict(studio.get(f"/api/projects/{known.project_id}/"))
        except NotThere:
            pass
    page, marked, more = 1, [], True
    while more:
        params = {"include": "id,description", "page_size": 100, "page": page}
        answer = studio.get("/api/projects/", params)
        marked += [one["id"] for one in answer["results"] if marker in (one.get("description") or "")]
        page, more = page + 1, bool(answer["next"])
    return dict(studio.get(f"/api/projects/{min(marked)}/")) if marked else None


def _make(studio: Studio, marker: str) -> dict[str, Any]:
    description = f"Sentiment of financial news, asked by finloop. {marker}"
    return dict(studio.post("/api/projects/", {"title": TITLE, "description": description, **_settings()}))


def _settings() -> dict[str, Any]:
    """What must hold for answers to be usable; the rest is the annotators' own."""
    return {
        "label_config": LABEL_CONFIG,
        "expert_instruction": INSTRUCTIONS,
        "show_instruction": True,
        "show_skip_button": True,
        "enable_empty_annotation": False,
        "show_collab_predictions": True,
    }


def _heal(studio: Studio, project: Mapping[str, Any], marker: str) -> None:
    changed = {name: value for name, value in _settings().items() if project.get(name) != value}
    description = project.get("description") or ""
    if marker not in description:
        changed["description"] = f"{description} {marker}".strip()
    # Label Studio sets the version at the first import of predictions, and takes only one that predictions have.
    if project.get("model_version") != MODEL_NAME and _has_ours(studio, project["id"]):
        changed["model_version"] = MODEL_NAME
    elif project.get("model_version") not in (MODEL_NAME, "", None):
        changed["model_version"] = ""
    if changed:
        studio.patch(f"/api/projects/{project['id']}/", changed)


def _has_ours(studio: Studio, project_id: int) -> bool:
    versions = studio.get(f"/api/projects/{project_id}/model-versions/", {"extended": "false"})
    return MODEL_NAME in versions


def _webhook(studio: Studio, known: ProjectIds, url: str, secret: str) -> int:
    wanted: dict[str, Any] = {
        "url": url,
        "headers": {SECRET_HEADER: secret},
        "actions": sorted(ACTIONS),
        "send_payload": True,
        "send_for_all_actions": False,
        "is_active": True,
    }
    there = studio.get("/api/webhooks/", {"project": known.project_id})
    ours = [hook for hook in there if hook["id"] == known.webhook_id] or [hook for hook in there if hook["url"] == url]
    if not ours:
        return int(studio.post("/api/webhooks/", {"project": known.project_id, **wanted})["id"])
    found = ours[0]
    if any((sorted(found[name]) if name == "actions" else found[name]) != value for name, value in wanted.items()):
        # All of it: a change that leaves the actions out takes them away.
        studio.patch(f"/api/webhooks/{found['id']}/", wanted)
    return int(found["id"])
