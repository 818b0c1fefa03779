"""The project and webhook that are ours on a Label Studio server: made once, found again, put right, never deleted.

Label Studio makes two of whatever is asked for twice, so making happens under a lease, and what was made is known by
its stored id, or by a marker in its description where the id was lost. A server that answers at another address than
before (our own, whose port was taken) keeps its tasks and labels. Names and colours are left to the people there.
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
    scheme: Scheme,
    webhook_url: str,
    webhook_secret: str,
    marker: str,
) -> Project:
    """Our project there, with its webhook, as they should be; made if there is none yet.

    Raises Unreachable or Refused within 10 s where the server does not play along, Busy where another process holds
    the lease for longer than a minute, BadInput where our project asks for the labels of another scheme.
    """
    studio.check()
    lease = "project:" + hashlib.sha256(studio.url.encode()).hexdigest()[:16]
    with leases.hold(lease, PROJECT_LEASE, wait=PROJECT_LEASE):
        if projects.get(studio.url) is None and (before := _address_before(studio, projects, webhook_secret)):
            projects.move(before, studio.url)
        known = projects.get(studio.url)
        there = _find(studio, known, scheme, marker) or _make(studio, scheme, marker)
        # Remembered at once: whoever comes after a crash here finds this project, and makes only its webhook.
        if known is None or known.id != _number(there):
            known = Project(studio.url, _number(there))
            projects.put(known)
        _heal(studio, there, scheme, marker)
        ours = replace(known, webhook_id=_webhook(studio, known, webhook_url, webhook_secret))
        projects.put(ours)
    return ours


def _address_before(studio: Studio, projects: Projects, webhook_secret: str) -> str | None:
    """The address that this server had when we were here last, known by our webhook, whose secret is nobody else's."""
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


def marker_of(name: str) -> str:
    """What a project's description holds, so that one whose id was lost is found again."""
    return f"[finloop:{name}]"


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
    """The buttons of a labelling config that are not this scheme's; fewer choices than the scheme has are."""
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
    """The id: the SDK's models say of every field that it may be missing."""
    return int(str(project.id))


def _settings(scheme: Scheme) -> dict[str, Any]:
    """What must hold for answers to be usable; the rest is the annotators' own."""
    return {
        "label_config": label_config(scheme),
        "expert_instruction": instructions(scheme),
        "show_instruction": True,
        "show_skip_button": True,
        "enable_empty_annotation": False,
        "show_collab_predictions": True,
    }


def _heal(studio: Studio, there: "LseProjectResponse", scheme: Scheme, marker: str) -> None:
    changed = {name: value for name, value in _settings(scheme).items() if getattr(there, name) != value}
    description = there.description or ""
    if marker not in description:
        changed["description"] = f"{description} {marker}".strip()
    # Label Studio sets the version at the first import of predictions, and takes only one that predictions have.
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
        # All of it: a change that leaves the actions out takes them away.
        studio.api.webhooks.update(found["id"], **wanted)
    return int(found["id"])
