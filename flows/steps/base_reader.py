"""What a query strategy reads of texts before there is a champion: how they lie to one another, by the base model.

Nothing doubts a text yet, so only two strategies can choose: typical texts of each group of texts, or chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from flows.steps.arrays import LABELLED
from labeling.ask.candidates import Candidates
from labeling.ask.pool import Embeddings, Pool, Strategy
from labeling.ask.strategies.registry import STRATEGIES
from storage.text import text_id

if TYPE_CHECKING:
    from training.model.base_model import BaseModel

TYPICAL, CHANCE = STRATEGIES["typical"], STRATEGIES["random"]
FIRST = (TYPICAL.name, CHANCE.name)
"""The strategies that can choose without a champion."""


@dataclass(frozen=True, slots=True)
class BaseReader:
    """The base model that reads the texts, the texts of the seed data, and the folder of kept embeddings."""

    base: "BaseModel"
    labels: Sequence[str]
    seed: Sequence[str]
    cache: Path


def strategy_and_arrays(
    candidates: Candidates, wished: Strategy, asked: Mapping[str, str], reader: BaseReader
) -> tuple[Strategy, Pool]:
    """The wished one of the strategies FIRST, and the arrays that it reads; `random` where the base embeds no text.

    The texts that were asked about (text id -> text) and those of the seed data count as labelled.
    """
    pool = Pool(candidates.probabilities)
    if wished.name == CHANCE.name:
        return CHANCE, pool
    labelled = {**asked, **{text_id(text): text for text in reader.seed}}
    known = dict(islice(labelled.items(), LABELLED))
    words = [*(fact.text for fact in candidates.facts), *known.values()]
    embeddings = _embeddings([*candidates.text_ids, *known], words, reader)
    if embeddings is None:
        return CHANCE, pool
    return TYPICAL, replace(pool, embeddings=embeddings[: len(pool)], labelled=embeddings[len(pool) :])


def _embeddings(text_ids: Sequence[str], texts: Sequence[str], reader: BaseReader) -> Embeddings | None:
    """None where the base model gives none."""
    from training.model.base_model import fingerprint
    from training.model.classifier import NoEmbeddings
    from training.model.embedding_cache import cached_embeddings, forget_others
    from training.model.untrained import untrained_classifier

    kept = reader.cache / f"base-{fingerprint(reader.base)[:16]}.npz"
    try:
        model = untrained_classifier(reader.base, reader.labels)
        embeddings = cached_embeddings(kept, text_ids, texts, model.embed)
    except NoEmbeddings:
        return None
    forget_others(kept)
    return embeddings
