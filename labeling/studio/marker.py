"""The marker in our project's description, by which we know the project, whatever number it has.

The marker holds the name from the settings, the id of the home and the project's epoch. So neither another home with
the same name nor a project that got the number of ours after a reset is taken for ours.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

NAME = r"[A-Za-z0-9_-]+"
_MARKER = re.compile(rf"\[finloop:({NAME}):([0-9a-f]*):([0-9a-f]*)\]")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose projects are ours: those of a name (FINLOOP_LABEL_STUDIO_PROJECT) and of a home's id."""

    name: str
    home: str

    def marker(self, epoch: str) -> str:
        """The marker of this owner's project of an epoch."""
        return f"[finloop:{self.name}:{self.home}:{epoch}]"

    @property
    def old_marker(self) -> str:
        """The marker that earlier versions wrote. It names no home."""
        return f"[finloop:{self.name}]"

    def epochs(self, description: str | None) -> list[str]:
        """The epochs in this owner's markers in a description."""
        return [epoch for name, home, epoch in _markers(description) if (name, home) == (self.name, self.home)]


def marked_epochs(description: object) -> list[str]:
    """The epochs in the markers of any owner."""
    return [epoch for _, _, epoch in _markers(description)]


def without_markers(description: str) -> str:
    """The description as people wrote it."""
    return " ".join(re.sub(rf"{_MARKER.pattern}|\[finloop:{NAME}\]", "", description).split())


def _markers(description: object) -> Iterator[tuple[str, str, str]]:
    if isinstance(description, str):
        yield from _MARKER.findall(description)
