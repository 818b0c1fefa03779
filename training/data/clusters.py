"""Finds near-duplicate texts, so that a text and its rewording never land in two splits.

Two texts are near-duplicates when the Jaccard similarity of their sets of character 5-grams is at least .8. The pairs
are exact, not sampled: prefix filtering (AllPairs, Bayardo et al. 2007; PPJoin, Xiao et al. 2008) leaves out only pairs
that cannot reach the threshold. The trap: real feeds repeat the same news with another link or digit, so that a test
on a split by row measures memory.
"""

import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence, Set

GRAM = 5
"""Characters in a gram."""

THRESHOLD = 0.8
"""The similarity from which two texts are near-duplicates."""

_ROUNDING = 1e-9
"""Subtracted before rounding up: 0.7 * 10 is a little more than 7 in floating point, which would lose a pair."""

Grams = list[int]
"""The numbers of a text's distinct grams in ascending order; a gram that fewer texts have has a lower number."""


def near_duplicates(
    texts: Sequence[str], others: Sequence[str] | None = None, threshold: float = THRESHOLD
) -> list[tuple[int, int]]:
    """Every pair of positions whose texts have a similarity of at least `threshold` (more than 0), in ascending order.

    Without `others` the pairs are (i, j), i < j, within `texts`; with it, i is a position in `texts`, j in `others`.
    """
    if others is None:
        return sorted(_join(_gram_numbers(texts), None, threshold))
    numbered = _gram_numbers([*texts, *others])
    return sorted(_join(numbered[: len(texts)], numbered[len(texts) :], threshold))


def near_any(texts: Sequence[str], others: Iterable[str], threshold: float = THRESHOLD) -> set[int]:
    """The positions of texts that are near one of the others, or near an earlier text that is not in the result.

    The others may be a stream of any length: only those that share enough grams with the texts are kept.
    """
    vocabulary = {gram for text in texts for gram in grams(text)}
    alike = []
    for other in others:
        if not _may_share(other, vocabulary, threshold):
            continue
        theirs = grams(other)
        if len(vocabulary & theirs) >= threshold * len(theirs) - _ROUNDING:
            alike.append(other)
    near = {mine for mine, _ in near_duplicates(texts, alike, threshold)} if alike else set()
    for one, later in near_duplicates(texts, threshold=threshold):
        if one not in near:
            near.add(later)
    return near


def components(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """The connected component of each of `count` nodes, numbered from 0 in order of first appearance."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones, others = zip(*pairs, strict=True) if (pairs := list(pairs)) else ((), ())
    graph = coo_array(([True] * len(ones), (ones, others)), shape=(count, count))
    found = connected_components(graph, directed=False)[1].tolist()
    numbers: dict[int, int] = {}
    return [numbers.setdefault(component, len(numbers)) for component in found]


def grams(text: str) -> set[str]:
    """The character 5-grams of the normalised lower-cased text; a shorter text is its own single gram."""
    folded = _folded(text)
    return {folded[start : start + GRAM] for start in range(max(1, len(folded) - GRAM + 1))}


def _may_share(text: str, vocabulary: Set[str], threshold: float) -> bool:
    """Whether a text may have so large a share of its grams in the vocabulary. It reads a few grams of most texts."""
    folded = _folded(text)
    count = max(1, len(folded) - GRAM + 1)
    absent: set[str] = set()
    for start in range(count):
        if (gram := folded[start : start + GRAM]) not in vocabulary:
            absent.add(gram)
            if len(absent) > (1 - threshold) * count + _ROUNDING:  # the distinct grams are at most as many
                return False
    return True


def _folded(text: str) -> str:
    # NFKC, though it takes 10² for 102: such texts belong into one split, and the clusters of old datasets stay.
    return " ".join(unicodedata.normalize("NFKC", text).split()).lower()


def _gram_numbers(texts: Sequence[str]) -> list[Grams]:
    sets = [grams(text) for text in texts]
    frequency = Counter(gram for each in sets for gram in each)
    number = {
        gram: position for position, gram in enumerate(sorted(frequency, key=lambda gram: (frequency[gram], gram)))
    }
    return [sorted(number[gram] for gram in each) for each in sets]


def _join(texts: list[Grams], others: list[Grams] | None, threshold: float) -> Iterable[tuple[int, int]]:
    """Index `texts` by the grams of their prefixes, and look `others` up there (None: each text before it is added)."""
    sets = [frozenset(each) for each in texts]
    index: defaultdict[int, list[int]] = defaultdict(list)
    if others is not None:
        for position, each in enumerate(texts):
            _add(index, position, _prefix(each, threshold))
    for position, each in enumerate(texts if others is None else others):
        prefix = _prefix(each, threshold)
        for candidate in {found for gram in prefix for found in index.get(gram, ())}:
            if _similar(sets[candidate], each, threshold):
                yield candidate, position
        if others is None:
            _add(index, position, prefix)


def _prefix(each: Grams, threshold: float) -> Grams:
    """The first (rarest) |x| - ceil(t |x|) + 1 grams; two sets of a similarity of t share at least one of them."""
    return each[: len(each) - math.ceil(threshold * len(each) - _ROUNDING) + 1]


def _add(index: defaultdict[int, list[int]], position: int, prefix: Grams) -> None:
    for gram in prefix:
        index[gram].append(position)


def _similar(indexed: frozenset[int], other: Grams, threshold: float) -> bool:
    small, large = sorted((len(indexed), len(other)))
    if small < threshold * large - _ROUNDING:
        return False
    shared = len(indexed.intersection(other))
    return shared / (len(indexed) + len(other) - shared) >= threshold
