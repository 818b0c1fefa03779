"""Asks other libraries of active learning about the same pool, with the same model, seed and budget.

    pip install small-text

small-text (Schröder et al. 2023) chooses from what a classifier says; here that is our trained model, so that only the
choice differs.
"""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.errors import BadInput
from storage.records import Split

if TYPE_CHECKING:
    from benchmarks.efficiency.trial import Ask, Trials, Way

SMALL_TEXT = {
    "breaking_ties": ("BreakingTies", ()),
    "least_confidence": ("LeastConfidence", ()),
    "entropy": ("PredictionEntropy", ()),
    "badge": ("BADGE", (3,)),
    "contrastive": ("ContrastiveActiveLearning", ()),
    "core_set": ("GreedyCoreset", ()),
    "kmeans": ("EmbeddingKMeans", ()),
}
"""Our name for a strategy -> small-text's class, and the arguments that it needs."""


class _Asker:
    """Our model with the two methods that small-text's strategies call on a classifier."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def predict_proba(self, texts: Any) -> Any:
        return self._model.predict(list(texts.x)).probabilities

    def embed(self, texts: Any, return_proba: bool = False, **_: Any) -> Any:
        vectors = self._model.embed(list(texts.x))
        return (vectors, self.predict_proba(texts)) if return_proba else vectors


class _Texts:
    """A list of texts in the form of small-text's datasets: it can be indexed by positions."""

    def __init__(self, texts: list[str]) -> None:
        self.x = texts

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, positions: Any) -> "_Texts":
        return _Texts([self.x[at] for at in np.atleast_1d(np.arange(len(self.x))[positions]).tolist()])


def ask_small_text(trials: "Trials", way: "Way", seed: int, answered: list[int], size: int) -> list[int]:
    """What small-text asks of the stream, by the model that learnt from the labels so far."""
    _, _, name = way.strategy.partition(":")
    if name not in SMALL_TEXT:
        raise BadInput(f"small-text has no strategy {name!r} here; there are {', '.join(SMALL_TEXT)}")
    try:
        library = importlib.import_module("small_text")
    except ImportError as error:
        raise BadInput(f"small-text cannot be imported ({error}); install it: pip install small-text") from error
    kind, arguments = SMALL_TEXT[name]
    task, names = trials.task, trials.task.scheme.names
    seeds = [row for row in task.rows([]) if row.split is Split.TRAIN]
    texts = [*task.stream.texts, *(row.text for row in seeds)]
    labelled = np.array([*answered, *range(len(task.stream), len(texts))])
    truth = [*(task.stream.truth[at] for at in answered), *(row.label for row in seeds)]
    done = set(answered)
    waiting = np.array([at for at in range(len(task.stream)) if at not in done])
    np.random.seed(seed)
    asked = getattr(library, kind)(*arguments).query(
        _Asker(trials.model(way, seed, len(answered))), _Texts(texts), waiting, labelled,
        np.array([names.index(one) for one in truth]), n=size,
    )  # fmt: skip
    return [int(at) for at in asked]


PEERS: Mapping[str, "Ask"] = {"small-text": ask_small_text}
