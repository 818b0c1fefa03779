"""Tells when more labels change little, so that nobody labels for nothing.

The sign is how far successive models agree on the same texts, not how good they are: no label is needed for it.
"""

from collections.abc import Sequence

AGREED = 0.99
"""Cohen's kappa from which two models say the same; the paper's threshold."""
COMPARISONS = 3
"""The mean of so many comparisons in a row decides: one pair of models may agree by chance."""


def kappa(one: Sequence[str], other: Sequence[str]) -> float:
    """Cohen's kappa of two models' labels for the same texts: 1 where they agree on all, 0 where as often as by chance.

    Two models that give every text one and the same label agree fully. Raises ValueError for no text, or where the
    numbers of texts differ. Cohen, A Coefficient of Agreement for Nominal Scales, 1960.
    """
    if len(one) != len(other) or not one:
        raise ValueError(f"kappa compares {len(one)} labels with {len(other)}")
    agreed = sum(mine == theirs for mine, theirs in zip(one, other, strict=True)) / len(one)
    labels = {*one, *other}
    chance = sum((list(one).count(label) / len(one)) * (list(other).count(label) / len(other)) for label in labels)
    return 1.0 if chance == 1 else (agreed - chance) / (1 - chance)


def is_stable(kappas: Sequence[float]) -> bool:
    """Whether the last COMPARISONS of consecutive models agree; fewer comparisons never do.

    Stabilising predictions; Bloodgood and Vijay-Shanker, A Method for Stopping Active Learning Based on Stabilizing
    Predictions and the Need for User-Adjustable Stopping, 2009.
    """
    last = kappas[-COMPARISONS:]
    return len(last) == COMPARISONS and sum(last) / COMPARISONS >= AGREED
