"""Our project and webhook on a Label Studio server: made once, found again, repaired, never deleted.

Label Studio makes two projects when it is asked twice, so a project is made under a lease. A project that is not ours
is never changed (`labeling.studio.owned`). A server whose address has changed (ours, where its port was taken) keeps
its tasks and labels. People there may change names and colours.
A project that asks for the labels of another scheme is never changed either: its answers belong to another home.
"""

import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from labeling.studio.client import Studio
from labeling.studio.interface import choices_of, control_name, instructions, label_config
from labeling.studio.marker import Owner, without_markers
from labeling.studio.owned import SECRET_HEADER, Found, find_ours, hash_of, refuse_other_secret, secret_of, why_left
from labeling.studio.queue_tab import ensure_tab
from storage.errors import BadInput
from storage.labels.projects import Project, Projects, new_epoch
from storage.scheme import Scheme
from storage.work.leases import Leases

if TYPE_CHECKING:
    from label_studio_sdk.types import LseProjectCreate, LseProjectResponse

TITLE = "finloop"
MODEL_NAME = "finloop"
"""The model version of our projects, which an earlier finloop gave its predictions. Label Studio shows the predictions
of the project's own version only, so the name stays."""

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
    owner: Owner,
) -> Project:
    """Find, repair or make our project and its webhook, and return the project.

    Raises Unreachable or Refused within 10 s where Label Studio is away or refuses us, Busy where another process holds
    the lease for longer than a minute, BadInput where our project asks for the labels of another scheme, or where the
    webhook of our project has the secret of another home.
    """
    studio.check()
    lease = "project:" + hashlib.sha256(studio.url.encode()).hexdigest()[:16]
    with leases.hold(lease, PROJECT_LEASE, wait=PROJECT_LEASE):
        known = projects.get(studio.url)
        found = find_ours(studio, projects, owner, webhook_secret, lambda config: not _other_choices(config, scheme))
        # Asked before a project is made: the new project may get the old one's number.
        why = why_left(studio, known, found) if known is not None else ""
        if found is None:
            epoch = new_epoch()
            found = Found(_make(studio, scheme, owner.marker(epoch)), epoch)
        _refuse_another_scheme(found.there, scheme)
        # Stored at once: after a crash here, the next call finds this project and makes only its webhook.
        ours = _store(studio, projects, found, why)
        hook = _our_webhook(studio, ours, found.there, webhook_url, webhook_secret)
        _repair(studio, found.there, scheme, owner.marker(found.epoch))
        ensure_tab(studio, ours.id)
        webhook_id = _webhook(studio, ours, hook, webhook_url, webhook_secret)
        ours = replace(ours, webhook_id=webhook_id, secret_hash=hash_of(webhook_secret))
        projects.put(ours)
    return ours


def _store(studio: Studio, projects: Projects, found: Found, why: str) -> Project:
    """Store our project as the current one of the server, which may have had another address before.

    `why` says why another project was left for this one.
    """
    for before in projects.elsewhere(studio.url):
        if before.epoch == found.epoch:
            projects.move(before.server, studio.url)
            break
    known, number = projects.get(studio.url), _number(found.there)
    stored = [one for one in (known, *projects.before(studio.url)) if one is not None and one.epoch == found.epoch]
    ours = next((one for one in stored if one.id == number), Project(studio.url, number, epoch=found.epoch))
    if ours != known:
        projects.put(ours, why)
    return ours


def _other_choices(config: str | None, scheme: Scheme) -> dict[str, set[str]]:
    """Name -> choices of each group of buttons that has a choice outside this scheme."""
    ours = {control_name(scheme): set(scheme.names)}
    return {name: choices for name, choices in choices_of(config or "").items() if not choices <= ours.get(name, set())}


def _refuse_another_scheme(there: "LseProjectResponse", scheme: Scheme) -> None:
    for name, choices in _other_choices(there.label_config, scheme).items():
        raise BadInput(
            f"project {there.id} ({there.title}) of Label Studio asks for {name}: {', '.join(sorted(choices))}. The "
            f"label scheme here is {scheme.name}: {', '.join(scheme.names)}.\n"
            "Take choices that somebody added out of its labelling interface, use the scheme that the project was made "
            "with, or name another project."
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
        changed["description"] = f"{without_markers(description)} {marker}".strip()
    # Label Studio sets the version at the first import of predictions, and accepts only versions of predictions.
    if there.model_version != MODEL_NAME and _has_ours(studio, _number(there)):
        changed["model_version"] = MODEL_NAME
    elif there.model_version not in (MODEL_NAME, "", None):
        changed["model_version"] = ""
    if changed:
        studio.api.projects.update(_number(there), **changed)


def _has_ours(studio: Studio, project_id: int) -> bool:
    return MODEL_NAME in studio.get(f"/api/projects/{project_id}/model-versions/", {"extended": "false"})


def _our_webhook(
    studio: Studio, ours: Project, there: "LseProjectResponse", url: str, secret: str
) -> dict[str, Any] | None:
    """Our webhook in the project, or None. Raises BadInput where the webhooks there are another home's.

    A webhook with the secret that we wrote before is ours: the user has changed the secret.
    """
    hooks = list(studio.api.webhooks.list(project=str(ours.id)))
    for hook in hooks:
        said = secret_of(hook)
        if said is not None and (said == secret or hash_of(said) == ours.secret_hash):
            return {**dict(hook), "actions": sorted(hook.actions)}
    if any(secret_of(hook) is not None for hook in hooks):
        refuse_other_secret(there, studio.url)
    plain = [hook for hook in hooks if hook.id == ours.webhook_id] or [hook for hook in hooks if hook.url == url]
    return {**dict(plain[0]), "actions": sorted(plain[0].actions)} if plain else None


def _webhook(studio: Studio, ours: Project, found: dict[str, Any] | None, url: str, secret: str) -> int:
    wanted: dict[str, Any] = {
        "url": url,
        "headers": {SECRET_HEADER: secret},
        "actions": sorted(ACTIONS),
        "send_payload": True,
        "send_for_all_actions": False,
        "is_active": True,
    }
    if found is None:
        return int(studio.api.webhooks.create(project=ours.id, **wanted).id)
    if any(found[name] != value for name, value in wanted.items()):
        # An update without the actions would delete the actions, so the whole webhook is sent.
        studio.api.webhooks.update(found["id"], **wanted)
    return int(found["id"])
