"""The classification head that a base model gets before it is trained, and what of it has everything to learn."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def with_our_labels(folder: Path, labels: Sequence[str]) -> tuple[Any, frozenset[str]]:
    """The base model with a head named by our labels, and the names of the parameters drawn anew.

    A base that already knows our names in any case (ProsusAI/finbert knows those of `sentiment`) keeps its head and its
    own order, since everything goes by name, and nothing is new. Any other head is replaced by a new one in the order
    of `labels`, and the pooler below it is drawn anew.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification

    names = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True).id2label
    ours = {label.casefold(): label for label in labels}
    theirs = [name.strip().casefold() for name in _in_order(names)]
    known = sorted(theirs) == sorted(ours)
    order = [ours[name] for name in theirs] if known else list(labels)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder,
        num_labels=len(labels),
        id2label=dict(enumerate(order)),
        label2id={name: index for index, name in enumerate(order)},
        # A base may have been a regression or have several labels a text, and two labels are no regression either.
        problem_type="single_label_classification",
        ignore_mismatched_sizes=True,
        trust_remote_code=False,
        use_safetensors=True,
        local_files_only=True,
        dtype="float32",
    )
    return model, frozenset() if known else _renew(model)


def output_labels(folder: Path) -> tuple[str, ...]:
    """The labels of a trained model in the order of its outputs, by their names in its configuration."""
    names = json.loads((folder / "config.json").read_text())["id2label"]
    return tuple(_in_order(names))


def _in_order(id2label: Mapping[Any, str]) -> list[str]:
    """The names in the order of the outputs; a configuration in a file has its numbers as text."""
    return [id2label[index] for index in sorted(id2label, key=int)]


def _renew(model: Any) -> frozenset[str]:
    """Draw the head anew, and the pooler, which was trained for something else (sentence pairs, or nothing at all).

    Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning": it makes training on few rows more stable. Without it
    one of eight candidates from MiniLM stayed at telling news from no news (macro-F1 .50 where others reach .80).
    """
    from torch import nn

    width = getattr(model.config, "initializer_range", 0.02)  # T5, BART and others name it otherwise
    body = f"{model.base_model_prefix}."
    new: set[str] = set()
    for name, module in model.named_modules():
        above = not name.startswith(body) or name.startswith(f"{body}pooler.")
        if above and isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=width)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            new |= {f"{name}.{parameter}" for parameter, _ in module.named_parameters()}
    return frozenset(new)
