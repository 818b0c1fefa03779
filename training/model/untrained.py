"""Opens a base model with a head for the labels of a scheme, before it has learnt any label.

A training starts from such a model. Its answers are worth nothing, but its embeddings already tell which texts are
alike, so that annotators can be asked before there is a champion.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from training.model.base_model import BaseModel
from training.model.head import with_our_labels
from training.model.progress import silence
from training.model.reading import FIELD, Reading
from training.model.soundness import load_tokenizer

if TYPE_CHECKING:  # it imports torch
    from training.model.classifier import Classifier


class Untrained(NamedTuple):
    """A model with its tokenizer, and the names of the parameters that start from random values."""

    model: Any
    tokenizer: Any
    new: frozenset[str]


def open_untrained(folder: Path, labels: Sequence[str], name: str, reading: Reading) -> Untrained:
    """The model in a folder, which messages call `name`. Raises BadInput where it cannot be loaded whole."""
    model, new = with_our_labels(folder, labels, name)
    tokenizer = load_tokenizer(folder, name)
    setattr(model.config, FIELD, str(reading))
    if model.config.pad_token_id is None:
        model.config.pad_token_id = tokenizer.pad_token_id
    return Untrained(model, tokenizer, new)


def untrained_classifier(base: BaseModel, labels: Sequence[str]) -> "Classifier":
    """The base model in evaluation mode, to embed texts. Raises BadInput where it cannot be loaded whole."""
    from training.model.classifier import Classifier, choose_device

    with silence():
        opened = open_untrained(base.folder, labels, base.name, Reading.LINKS_AS_WORD)
    return Classifier(opened.model, opened.tokenizer, labels, choose_device())
