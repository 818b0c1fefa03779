"""A line of a user's file that was left out, with why: readers count and name them instead of stopping half-way."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BadLine:
    """`line` is the 1-based line in the file."""

    line: int
    reason: str


def noted(said: str, bad_lines: Sequence[BadLine]) -> str:
    """What is said anyway; where lines were left out, how many and the first of them.

    `9 texts, 2 lines left out (first: line 7, no label)`.
    """
    if not bad_lines:
        return said
    lines = "1 line" if len(bad_lines) == 1 else f"{len(bad_lines)} lines"
    return f"{said}, {lines} left out (first: line {bad_lines[0].line}, {bad_lines[0].reason})"
