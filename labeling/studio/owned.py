"""Finds our project on a server that others use too, and that may not be the server that we knew.

A project is ours if its description has our marker, or if it has no marker and its webhook has our secret. A stored
number alone proves nothing: after a reset a stranger's project may have the number.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from labeling.studio.client import Studio
from labeling.studio.connection import NotThere
from labeling.studio.marker import Owner, marked_epochs
from storage.errors import BadInput
from storage.labels.projects import Project, Projects

if TYPE_CHECKING:
    from label_studio_sdk.types import LseProjectResponse

SECRET_HEADER = "X-Finloop-Secret"


@dataclass(frozen=True, slots=True)
class Found:
    """Our project as Label Studio has it, and its epoch."""

    there: "LseProjectResponse"
    epoch: str


def find_ours(
    studio: Studio, projects: Projects, owner: Owner, secret: str, usable: Callable[[str | None], bool]
) -> Found | None:
    """Our project on the server, or None. `usable` says whether a labelling config is one of our label scheme.

    The stored number is tried first. Raises BadInput where an older project may be ours or another home's.
    """
    known = projects.get(studio.url)
    if known is not None and (there := _get(studio, known.id)) and known.epoch in owner.epochs(there.description):
        return Found(there, known.epoch)
    return _by_marker(studio, projects, owner, usable) or _by_secret(studio, projects, owner, secret)


def why_left(studio: Studio, known: Project, found: Found | None) -> str:
    """Why the project that we knew is not our current one; empty where it is."""
    if found is not None:
        said = f"project {found.there.id} there carries the marker of another project of this home"
        return "" if found.epoch == known.epoch else said
    if (there := _get(studio, known.id)) is None:
        return f"project {known.id} is gone from there"
    return f"project {known.id} there ({there.title}) does not carry the marker of this home's project"


def hash_of(secret: str) -> str:
    """What the label store keeps of a webhook's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def secret_of(hook: Any) -> str | None:
    """The secret in a webhook of finloop, ours or another home's; None for any other webhook."""
    return (hook.headers or {}).get(SECRET_HEADER)


def refuse_other_secret(there: "LseProjectResponse", server: str) -> None:
    """Raise BadInput, which names a project whose webhook another home wrote."""
    raise BadInput(
        f"project {there.id} ({there.title}) of Label Studio at {server} has a webhook with another secret than this "
        "home's: another finloop home uses it, perhaps a copy of this one.\n"
        "If the project is this home's, set FINLOOP_WEBHOOK_SECRET to the secret that the webhook has, or delete the "
        "webhook there. If not, give this home a name of its own (FINLOOP_LABEL_STUDIO_PROJECT)."
    )


def _get(studio: Studio, number: int) -> "LseProjectResponse | None":
    try:
        return studio.api.projects.get(number)
    except NotThere:
        return None


def _by_marker(studio: Studio, projects: Projects, owner: Owner, usable: Callable[[str | None], bool]) -> Found | None:
    """The project with our marker. Of several, the one whose number and epoch we stored last, else the oldest.

    A project that we stored is ours even where somebody added a choice: beside a second one its answers would be lost.
    """
    rank = {(one.id, one.epoch): -place for place, one in enumerate(reversed(_stored(projects, studio.url)), 1)}
    marked = [
        (rank.get((one.id, epoch), 0), one.id, epoch)
        for one in studio.projects("id,description,label_config")
        for epoch in owner.epochs(one.description)
        if (one.id, epoch) in rank or usable(one.label_config)
    ]
    if not marked:
        return None
    _, number, epoch = min(marked)
    return Found(studio.api.projects.get(number), epoch)


def _by_secret(studio: Studio, projects: Projects, owner: Owner, secret: str) -> Found | None:
    """A project that we knew and that has no marker of today: an earlier finloop made it, or somebody wrote over it."""
    known = _stored(projects, studio.url)
    for number in dict.fromkeys(one.id for one in known):
        there = _get(studio, number)
        if there is None or marked_epochs(there.description):
            continue
        same = [one for one in known if one.id == number]
        here = [one for one in same if one.server == studio.url]
        # Of several epochs with this number, the first is that of an earlier finloop.
        old = owner.old_marker in (there.description or "")
        epoch = (here[-1] if old and here else same[0]).epoch
        secrets = {said for hook in studio.api.webhooks.list(project=str(number)) if (said := secret_of(hook))}
        if secret in secrets or (old and here and not secrets):
            return Found(there, epoch)
        if old and here:
            refuse_other_secret(there, studio.url)
    return None


def _stored(projects: Projects, server: str) -> list[Project]:
    """Our projects as stored: the current one of this server, its earlier ones, those of other servers."""
    current = projects.get(server)
    return [*([current] if current else []), *projects.before(server), *projects.elsewhere(server)]
