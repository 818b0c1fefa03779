"""Lets a trained model learn from texts that nobody labelled: it says how sure it is of each label, and learns that.

A few hundred labels show a model little of a new stream; thousands of texts without labels show what is usual there.
Two traps shaped this module. A model that learns its surest answers as if they were true gets surer of its mistakes: it
lost two to three points of macro-F1 here. So it learns probabilities, never answers. And the annotators' labels must
stay above what a model says, so they are repeated, and a text without a label weighs less.

Self-training with soft labels as in knowledge distillation (Hinton et al. 2015, "Distilling the Knowledge in a Neural
Network"; Xie et al. 2020, "Self-Training with Noisy Student"); docs/labels.md has what it brought here.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.records import Row

WEIGHT = 0.5
"""What a text without a label weighs in the loss, against 1 of a row."""
LABELS_REPEATED = 4
"""How many times each annotator's label is in an epoch of the second training."""
REHEARSED = 0.16
"""The share of the other rows in the second training: without them the model forgets the seed data."""
EPOCHS = 2
"""Passes of the second training: with 3,000 texts it takes half of the time of the first."""


@dataclass(frozen=True, slots=True)
class Soft:
    """A text and what a model says of it: a probability for each label, in the order of the scheme."""

    text: str
    probabilities: tuple[float, ...]


def said_of(teacher: Path, texts: Sequence[str], labels: Sequence[str]) -> list[Soft]:
    """What the trained model in this folder says of the texts."""
    from training.model.classifier import Classifier

    said = Classifier.load(teacher, labels).predict(texts, batch_size=64).probabilities
    return [Soft(text, tuple(row)) for text, row in zip(texts, said.tolist(), strict=True)]


def rehearsal(train: Sequence[Row], seed: int) -> list[Row]:
    """The rows of the second training: the annotators' labels, repeated, and a random part of the other rows."""
    once = list(dict.fromkeys(train))
    others = [row for row in once if row.origin != "label"]
    drawn = random.Random(seed).sample(others, round(REHEARSED * len(others)))
    return drawn + [row for row in once if row.origin == "label"] * LABELS_REPEATED


def target(one: Row | Soft, labels: Sequence[str], outputs: Mapping[str, int]) -> list[float]:
    """The target for each of the model's outputs: 1 at a row's label, or the teacher's probabilities times WEIGHT.

    `outputs` maps a label to the number of its output.
    """
    wanted = [0.0] * len(outputs)
    if isinstance(one, Row):
        wanted[outputs[one.label]] = 1.0
    else:
        for name, probability in zip(labels, one.probabilities, strict=True):
            wanted[outputs[name]] = WEIGHT * probability
    return wanted


def cross_entropy(outputs: Any, targets: Any, num_items_in_batch: Any = None) -> Any:
    """The mean cross-entropy of logits (rows, labels) to targets of the same shape; a target of sum .5 counts half.

    The Trainer calls the function with its own third argument, which a mean does not need.
    """
    logits = outputs["logits"] if isinstance(outputs, dict) else outputs[0]
    return -(targets * logits.float().log_softmax(dim=-1)).sum(dim=-1).mean()


def sum_of(texts: Sequence[str]) -> str:
    """The SHA-256 of the texts in their order: it stands in the manifest, because the texts changed the weights."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()
