"""Lines of a user's file that a reader leaves out: readers name these lines instead of stopping at the first."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was left out; `line` is its number in the file, from 1, `until` that of its record's last line."""

    line: int
    reason: str
    until: int = field(default=0, compare=False)


def noted(said: str, bad_lines: Sequence[BadLine]) -> str:
    """`said`, with the number of bad lines and the first of them, if there are any.

    `9 texts, 2 lines left out (first: line 7, no label)`.
    """
    if not bad_lines:
        return said
    lines = "1 line" if len(bad_lines) == 1 else f"{len(bad_lines)} lines"
    return f"{said}, {lines} left out (first: line {bad_lines[0].line}, {bad_lines[0].reason})"
