"""What the annotations of one text agree on. Doubt is never resolved by chance: a tie is no label."""

from collections import Counter
from collections.abc import Sequence

from storage.records import Annotation


def consensus(annotations: Sequence[Annotation]) -> str | None:
    """The label that more annotators gave than any other; skips do not vote, and a tie or no vote gives None."""
    votes = Counter(annotation.label for annotation in annotations if annotation.label is not None).most_common(2)
    if not votes or (len(votes) == 2 and votes[0][1] == votes[1][1]):
        return None
    return votes[0][0]
