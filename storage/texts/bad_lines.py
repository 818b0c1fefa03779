"""A line of a user's file that was left out, with why: readers count and name them instead of stopping half-way."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` is the 1-based line in the file."""

    line: int
    reason: str


def noted(said: str, problems: Sequence[Problem]) -> str:
    """What is said anyway; where lines were left out, how many and the first of them.

    `9 texts, 2 lines left out (first: line 7, no label)`.
    """
    if not problems:
        return said
    lines = "1 line" if len(problems) == 1 else f"{len(problems)} lines"
    return f"{said}, {lines} left out (first: line {problems[0].line}, {problems[0].reason})"
