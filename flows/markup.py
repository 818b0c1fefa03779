"""Text for Prefect's dashboard, which renders artifacts as Markdown with HTML. Words of users, feeds and models are
escaped, so that the dashboard shows them as they are: no image is fetched, and no link is made.
"""

import base64
import re
from collections.abc import Iterable, Sequence

_SPECIAL = {ord(character): f"\\{character}" for character in "&<>\"'\\`*_{}[]()#+-!|~^=$:@/"}
"""A backslash before a mark shows the mark. Prefect's dashboard shows numeric entities as they are written."""

_JOINER = "\u2060"
"""Has no width. Some renderers look for addresses after they have read the entities; this breaks the address."""

_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=\w)", re.IGNORECASE)
_LIST_NUMBER = re.compile(r"^(\d+)\.(?=\s|$)")


def plain(words: object) -> str:
    """The words on one line, escaped: Markdown and HTML show them unchanged."""
    line = _ADDRESS.sub(_JOINER, " ".join(str(words).split()))
    return _LIST_NUMBER.sub(r"\1\\.", line.translate(_SPECIAL))


def filled(template: str, *values: object) -> str:
    """Our own Markdown with a `{}` for each value; the values are escaped."""
    return template.format(*map(plain, values))


def picture(png: bytes) -> str:
    """The address of a picture that lies in the address itself, so that nothing is fetched."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; every cell is escaped."""
    lines = [list(map(plain, header)), ["---"] * len(header), *(list(map(plain, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cells(rows: Iterable[dict[str, object]]) -> list[dict[str, str]]:
    """The rows of a table artifact; names and cells are escaped."""
    return [{plain(name): plain(value) for name, value in row.items()} for row in rows]
