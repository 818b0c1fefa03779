"""Parts of the rows by what their texts are like, because a good mean may hide a bad part."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from training.judge.evaluate import Evaluation

FEWEST = 5
"""A slice of fewer rows is not shown: its interval says nothing."""
SHORT, LONG = 12, 25
"""Words: fewer than SHORT is a short text, LONG and more a long one."""

_NUMBER = re.compile(r"\d")
_NEGATION = re.compile(r"\b(not|no|never|nor|neither|none|nobody|nothing|without|cannot)\b|n['’]t\b", re.IGNORECASE)

Given = Mapping[str, Sequence[str | None]]
"""What the caller knows of the rows beside their texts: kind of slice -> a value for each row, None for unknown."""


def length(text: str) -> str:
    """Whether a text is short, of medium length, or long."""
    words = len(text.split())
    if words < SHORT:
        return f"under {SHORT} words"
    return f"{SHORT} to {LONG - 1} words" if words < LONG else f"{LONG} words and more"


def numbers(text: str) -> str:
    """Whether a digit is in the text."""
    return "with numbers" if _NUMBER.search(text) else "without numbers"


def negation(text: str) -> str:
    """Whether a negation of English is in the text."""
    return "with negation" if _NEGATION.search(text) else "without negation"


OF_TEXTS: Mapping[str, Callable[[str], str]] = {"length": length, "numbers": numbers, "negation": negation}


def slices(found: Evaluation, given: Given) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """Kind, name and the rows' positions of each slice of at least FEWEST rows, the kinds of `given` first."""
    kinds = {**given, **{kind: [of(text) for text in found.texts] for kind, of in OF_TEXTS.items()}}
    for kind, values in kinds.items():
        for name in sorted({value for value in values if value is not None}):
            rows = tuple(row for row, value in enumerate(values) if value == name)
            if len(rows) >= FEWEST:
                yield kind, name, rows


def part(found: Evaluation, rows: Sequence[int]) -> Evaluation:
    """The evaluation of some of its rows."""
    texts, truth, predicted = (
        tuple(column[row] for row in rows) for column in (found.texts, found.truth, found.predicted)
    )
    return Evaluation(texts, truth, predicted, found.labels, np.asarray(found.probabilities)[list(rows)])
