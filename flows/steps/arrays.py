"""What a query strategy reads of the candidates, computed by the champion: embeddings, labelled rows, dropout passes.

Only what the strategy needs is computed, and embeddings are kept in the home, because a pool changes little in a day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeling.ask.candidates import Candidates
from labeling.ask.pool import Need, Pool
from labeling.ask.strategies.uncertainty import margin
from storage.datasets.versions import Datasets
from storage.errors import UnknownVersion
from storage.models.registry import ModelVersion, Registry
from storage.records import Row, Split

DROPOUT_TEXTS, PASSES = 5_000, 10
"""Each pass reads every text again, so only the texts of lowest margin are read with dropout."""

LABELLED = 10_000
"""The most labelled rows that a strategy compares the texts with."""


@dataclass(frozen=True, slots=True)
class Reader:
    """The champion that reads the texts, the stores of its files and rows, and the folder of kept embeddings."""

    champion: ModelVersion
    registry: Registry
    datasets: Datasets
    cache: Path

    def trained_on(self) -> list[Row]:
        """The rows that the champion was trained on; none where it was trained elsewhere, so that nobody here knows."""
        try:
            rows = self.datasets.load(self.champion.manifest.dataset_version).rows
        except UnknownVersion:
            return []
        return [row for row in rows if row.split is Split.TRAIN]


def within_reach(candidates: Candidates, needs: frozenset[Need]) -> Candidates:
    """The candidates that can be read as often as the strategy needs: with dropout, those of lowest margin."""
    if Need.DROPOUT not in needs or len(candidates) <= DROPOUT_TEXTS:
        return candidates
    return candidates.at(np.argsort(-margin(candidates.probabilities), kind="stable")[:DROPOUT_TEXTS])


def arrays(candidates: Candidates, needs: frozenset[Need], labels: Sequence[str], reader: Reader, seed: int) -> Pool:
    """The pool of these candidates, with the arrays that are needed. `labels` are the columns of the probabilities."""
    if not needs:
        return Pool(candidates.probabilities)
    from training.model.classifier import Classifier
    from training.model.embedding_cache import cached_embeddings, forget_others

    model = Classifier.load(reader.registry.folder(reader.champion.version), labels)
    texts = [fact.text for fact in candidates.facts]
    rows = reader.trained_on()[:LABELLED] if Need.LABELLED in needs else []
    words, made = [row.text for row in rows], Pool(candidates.probabilities)
    embeddings = made.embeddings
    if needs & {Need.EMBEDDINGS, Need.LABELLED}:
        kept = _file(reader)
        identities = [*candidates.text_ids, *(row.text_id for row in rows)]
        embeddings = cached_embeddings(kept, identities, [*texts, *words], model.embed)
        forget_others(kept)
    return Pool(
        candidates.probabilities,
        embeddings=embeddings[: len(texts)],
        labelled=embeddings[len(texts) :],
        labelled_probabilities=model.predict(words).probabilities if words else made.labelled_probabilities,
        dropout=model.predict_with_dropout(texts, PASSES, seed) if Need.DROPOUT in needs else made.dropout,
    )


def _file(reader: Reader) -> Path:
    """The file of a version's embeddings; a registry that was made anew gives the version's number to other weights."""
    manifest = reader.champion.manifest
    weights = next((sum_ for name, sum_ in manifest.files.items() if name.endswith(".safetensors")), "")
    return reader.cache / f"{reader.champion.version}-{weights[:16]}.npz"
