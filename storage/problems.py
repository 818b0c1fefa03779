"""A line of a user's file that was left out, with why: readers count and name them instead of stopping half-way."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` is the 1-based line in the file."""

    line: int
    reason: str


def noted(said: str, problems: Sequence[Problem]) -> str:
    """What is said anyway, with the lines that were left out behind it where there are any."""
    return ", ".join(filter(None, (said, told(problems))))


def told(problems: Sequence[Problem]) -> str:
    """How many lines were left out, and the first of them: `2 lines left out (first: line 7, no label)`; else ''."""
    if not problems:
        return ""
    lines = "1 line" if len(problems) == 1 else f"{len(problems)} lines"
    return f"{lines} left out (first: line {problems[0].line}, {problems[0].reason})"
