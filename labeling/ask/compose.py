"""Makes a batch of what a strategy asks for: a batch is more than the head of a list.

A model's doubt alone asks for outliers, for copies of one news and for one label. So a share of a batch is drawn at
random, the outliers are left out, and each label gets its share. The trap: the random part is worth something only
where nothing else has a say in it, so it is drawn first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.ask.draft import Chosen, Draft
from labeling.ask.facts import Fact, Near, unfit
from labeling.ask.language import Written
from labeling.ask.pool import Pool, Strategy
from labeling.ask.reasons import Kind
from labeling.ask.rules import BatchRules


@dataclass(frozen=True, slots=True)
class Composition:
    """A batch in the order in which it is asked, and how many texts were left out, by reason.

    Texts that are near others or in another language are counted only where the batch came to them.
    """

    chosen: tuple[Chosen, ...]
    left_out: Mapping[str, int]


def compose(
    pool: Pool,
    facts: Sequence[Fact],
    strategy: Strategy,
    rules: BatchRules,
    size: int,
    draw: np.random.Generator,
    near: Near,
    *,
    aside: Iterable[str] = (),
    written: Written = Written(),  # noqa: B008 (frozen)
    sampled: npt.NDArray[np.bool_] | None = None,
) -> Composition:
    """A batch of `size` texts, or of fewer where the pool has no more that are fit; `facts[i]` belongs to row i.

    The random part is uniform over the fit texts: those with enough letters, `written` as the texts are that the model
    learnt from, one of each group of copies, and not near the texts `aside`, which were asked about before or belong to
    the audit. `aside` is read again at every look for near texts, and never kept. Where a pool holds more than a random
    sample of the stream, `sampled` (texts,) says which texts are the sample, and the random part comes from them alone.
    It is drawn before the strategy chooses, and neither caps, quotas nor the clipped share touch it: so what annotators
    answer on it is an unbiased sample of the fit texts.

    The strategy chooses among the rest, without the `clip_share` of lowest margin, which are mostly outliers (Gonsior
    et al., To Softmax, or not to Softmax, 2022). Where a label would miss its quota, the strategy chooses among the
    texts with that prediction. Where no model has scored the texts, none is clipped and no label has a quota. The order
    mixes the parts evenly: an annotator who stops early has answered the right share of each. Raises BadInput for a
    strategy that does not return a choice.
    """
    bad = unfit(facts, rules.min_letters, written.script, rules.script_share)
    draft = Draft(pool, facts, rules, size, draw, near, aside, np.ones(len(pool), dtype=bool), written.languages)
    draft.left_out.update(bad.values())
    draft.open[list(bad)] = False
    draft.draw_at_random(round(rules.random_share * size), sampled)
    draft.clip()
    draft.ask(strategy)
    return Composition(tuple(_mixed(draft.chosen)), dict(sorted((+draft.left_out).items())))


def _mixed(chosen: Sequence[Chosen]) -> list[Chosen]:
    """The parts spread evenly over the batch, each in its own order."""
    counts = Counter(one.reason.kind for one in chosen)
    places, met = [], Counter[Kind]()
    for one in chosen:
        kind = one.reason.kind
        places.append((met[kind] + 0.5) / counts[kind])
        met[kind] += 1
    return [one for _, one in sorted(zip(places, chosen, strict=True), key=lambda pair: pair[0])]
