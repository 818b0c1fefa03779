"""Our project and webhook on a Label Studio server: made once, found again, repaired, never deleted.

Label Studio makes two projects when it is asked twice, so a project is made under a lease. The project is found by its
stored id, or by a marker in its description where the id was lost. A server whose address has changed (ours, where its
port was taken) keeps its tasks and labels. People there may change names and colours.
A project that asks for the labels of another scheme is never changed: its answers belong to another home.
"""

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from labeling.studio.client import Studio
from labeling.studio.connection import NotThere
from labeling.studio.interface import choices_of, control_name, instructions, label_config
from storage.errors import BadInput
from storage.labels.projects import Project, Projects
from storage.scheme import Scheme
from storage.work.leases import Leases

if TYPE_CHECKING:
    from label_studio_sdk.types import LseProjectCreate, LseProjectResponse

TITLE = "finloop"
MODEL_NAME = "finloop"
"""The model version of every prediction in Label Studio. Annotators see only predictions of the project's own version,
so this name must not change with the champion. The task's data have the real version."""

SECRET_HEADER = "X-Finloop-Secret"
WEBHOOK_PATH = "/webhooks/label-studio"
"""The path at which the receiver takes webhooks."""

ACTIONS = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED", "TASKS_DELETED")
PROJECT_LEASE = timedelta(seconds=60)


def ensure_project(
    studio: Studio,
    projects: Projects,
    leases: Leases,
    scheme: Scheme,
    webhook_url: str,
    webhook_secret: str,
    marker: str,
) -> Project:
    """Find, repair or make our project and its webhook, and return the project.

    Raises Unreachable or Refused within 10 s where Label Studio is away or refuses us, Busy where another process holds
    the lease for longer than a minute, BadInput where our project asks for the labels of another scheme.
    """
    studio.check()
    lease = "project:" + hashlib.sha256(studio.url.encode()).hexdigest()[:16]
    with leases.hold(lease, PROJECT_LEASE, wait=PROJECT_LEASE):
        if projects.get(studio.url) is None and (before := _address_before(studio, projects, webhook_secret)):
            projects.move(before, studio.url)
        known = projects.get(studio.url)
        there = _find(studio, known, scheme, marker) or _make(studio, scheme, marker)
        # Stored at once: after a crash here, the next call finds this project and makes only its webhook.
        if known is None or known.id != _number(there):
            known = Project(studio.url, _number(there))
            projects.put(known)
        _repair(studio, there, scheme, marker)
        ours = replace(known, webhook_id=_webhook(studio, known, webhook_url, webhook_secret))
        projects.put(ours)
    return ours


def marker_of(name: str) -> str:
    """The marker in a project's description, by which a project is found whose id was lost."""
    return f"[finloop:{name}]"


def _address_before(studio: Studio, projects: Projects, webhook_secret: str) -> str | None:
    """The earlier address of this server, known by our webhook: nobody else has its secret."""
    for project in projects.elsewhere(studio.url):
        if project.webhook_id is None:
            continue
        try:
            hook = studio.api.webhooks.get(project.webhook_id)
        except NotThere:
            continue
        if hook.project == project.id and hook.headers.get(SECRET_HEADER) == webhook_secret:
            return project.server
    return None


def _find(studio: Studio, known: Project | None, scheme: Scheme, marker: str) -> "LseProjectResponse | None":
    if known is not None:
        try:
            there = studio.api.projects.get(known.id)
        except NotThere:
            pass
        else:
            _refuse_another_scheme(there, scheme)
            return there
    marked = [one for one in studio.projects("id,description,label_config") if marker in (one.description or "")]
    ours = [one.id for one in marked if not _other_choices(one.label_config, scheme)]
    return studio.api.projects.get(min(ours)) if ours else None


def _other_choices(config: str | None, scheme: Scheme) -> dict[str, set[str]]:
    """Name -> choices of each group of buttons that has a choice outside this scheme."""
    ours = {control_name(scheme): set(scheme.names)}
    return {name: choices for name, choices in choices_of(config or "").items() if not choices <= ours.get(name, set())}


def _refuse_another_scheme(there: "LseProjectResponse", scheme: Scheme) -> None:
    for name, choices in _other_choices(there.label_config, scheme).items():
        raise BadInput(
            f"project {there.id} ({there.title}) of Label Studio asks for {name}: {', '.join(sorted(choices))}. The "
            f"label scheme here is {scheme.name}: {', '.join(scheme.names)}.\n"
            "Use the scheme that the project was made with, or name another project."
        )


def _make(studio: Studio, scheme: Scheme, marker: str) -> "LseProjectResponse":
    description = f"{scheme.question} Label scheme {scheme.name}, asked by finloop. {marker}"
    made = studio.api.projects.create(title=TITLE, description=description, **_settings(scheme))
    return studio.api.projects.get(_number(made))


def _number(project: "LseProjectResponse | LseProjectCreate") -> int:
    """The id, which may be missing by the SDK's types, as every field."""
    return int(str(project.id))


def _settings(scheme: Scheme) -> dict[str, Any]:
    """The settings that usable answers need; people may change all others."""
    return {
        "label_config": label_config(scheme),
        "expert_instruction": instructions(scheme),
        "show_instruction": True,
        "show_skip_button": True,
        "enable_empty_annotation": False,
        "show_collab_predictions": True,
    }


def _repair(studio: Studio, there: "LseProjectResponse", scheme: Scheme, marker: str) -> None:
    changed = {name: value for name, value in _settings(scheme).items() if getattr(there, name) != value}
    description = there.description or ""
    if marker not in description:
        changed["description"] = f"{description} {marker}".strip()
    # Label Studio sets the version at the first import of predictions, and accepts only versions of predictions.
    if there.model_version != MODEL_NAME and _has_ours(studio, _number(there)):
        changed["model_version"] = MODEL_NAME
    elif there.model_version not in (MODEL_NAME, "", None):
        changed["model_version"] = ""
    if changed:
        studio.api.projects.update(_number(there), **changed)


def _has_ours(studio: Studio, project_id: int) -> bool:
    return MODEL_NAME in studio.get(f"/api/projects/{project_id}/model-versions/", {"extended": "false"})


def _webhook(studio: Studio, known: Project, url: str, secret: str) -> int:
    wanted: dict[str, Any] = {
        "url": url,
        "headers": {SECRET_HEADER: secret},
        "actions": sorted(ACTIONS),
        "send_payload": True,
        "send_for_all_actions": False,
        "is_active": True,
    }
    there = studio.api.webhooks.list(project=str(known.id))
    ours = [hook for hook in there if hook.id == known.webhook_id] or [hook for hook in there if hook.url == url]
    if not ours:
        return int(studio.api.webhooks.create(project=known.id, **wanted).id)
    found = {**dict(ours[0]), "actions": sorted(ours[0].actions)}
    if any(found[name] != value for name, value in wanted.items()):
        # An update without the actions would delete the actions, so the whole webhook is sent.
        studio.api.webhooks.update(found["id"], **wanted)
    return int(found["id"])
