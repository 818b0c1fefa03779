"""The label that the annotations of a text agree on. A tie gives no label, so that chance never decides."""

from collections import Counter
from collections.abc import Sequence

from storage.records import Annotation


def consensus(annotations: Sequence[Annotation]) -> str | None:
    """The label with the most annotations. Skips do not count; a tie, or skips alone, give None."""
    votes = Counter(annotation.label for annotation in annotations if annotation.label is not None).most_common(2)
    if not votes or (len(votes) == 2 and votes[0][1] == votes[1][1]):
        return None
    return votes[0][0]
