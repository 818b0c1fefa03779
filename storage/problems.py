"""A line of a user's file that was left out, with why: readers count and name them instead of stopping half-way."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`line` is the 1-based line in the file."""

    line: int
    reason: str
