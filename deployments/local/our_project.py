"""Keeps our project in the Label Studio that `up` starts, which may have another address after each start."""

from collections.abc import Mapping

from flows.steps import asking
from flows.wiring.parts import Parts, open_parts
from flows.wiring.settings import Settings
from storage.errors import BadInput


def earlier_address(kept: Mapping[str, str | None]) -> str | None:
    """The address of the Label Studio that `up` started last, by finloop.env; None where it was the user's own."""
    token, login = kept.get("FINLOOP_LABEL_STUDIO_TOKEN"), kept.get("LOGIN_TOKEN")
    return kept.get("FINLOOP_LABEL_STUDIO_URL") if token and token == login else None


def follow_our_server(settings: Settings, before: str) -> None:
    """Give what is stored of our own Label Studio its new address, before anybody asks the server.

    The marker alone does not lead from one address to the other: after a reset of the server no project has the marker,
    and the texts without an answer would wait at the old address for ever.
    """
    with open_parts(settings) as parts:
        if parts.projects.get(settings.needed("label_studio_url")) is None:
            parts.projects.move(before, settings.needed("label_studio_url"))


def find_project(parts: Parts, *, ours: bool) -> str:
    """Find, repair or make our project. Returns why a server of `ours` has none that can be used, empty where it has.

    Such a project, to which somebody added a choice, can only be corrected in Label Studio's pages: so `up` stays up.
    Raises BadInput where the server is the user's own.
    """
    try:
        asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)
    except BadInput as error:
        if not ours:
            raise
        return f"sync, select and audit fail until this is put right: {error}"
    return ""
