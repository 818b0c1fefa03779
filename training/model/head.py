"""Gives a base model a head for the labels of a scheme, and names the parameters that start from random values."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storage.errors import BadInput, FinloopError, Part
from training.model.soundness import check_type, check_weights


def with_our_labels(folder: Path, labels: Sequence[str], base: str | None = None) -> tuple[Any, frozenset[str]]:
    """The base model with an output for each label, and the names of the parameters that start from random values.

    A base whose head has these labels (ProsusAI/finbert has those of `sentiment`) keeps its head and its own order,
    because labels are matched by name; then no parameter is random. Any other base gets a new head in the order of
    `labels`, and a new pooler below it. Raises BadInput, which calls the model `base`, where it cannot be loaded whole.
    """
    name = base or str(folder)
    check_type(folder, name)
    with _loading(name):
        return _load(folder, labels, name)


def _load(folder: Path, labels: Sequence[str], name: str) -> tuple[Any, frozenset[str]]:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    names = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True).id2label
    ours = {label.casefold(): label for label in labels}
    theirs = [name.strip().casefold() for name in _in_order(names)]
    known = sorted(theirs) == sorted(ours)
    order = [ours[name] for name in theirs] if known else list(labels)
    model, loading = AutoModelForSequenceClassification.from_pretrained(
        folder,
        num_labels=len(labels),
        id2label=dict(enumerate(order)),
        label2id={name: index for index, name in enumerate(order)},
        # The base may be a regression, or give a text several labels; our models give a text one label.
        problem_type="single_label_classification",
        ignore_mismatched_sizes=True,
        trust_remote_code=False,
        use_safetensors=True,
        local_files_only=True,
        dtype="float32",
        output_loading_info=True,
    )
    check_weights(model, loading, name)
    return model, frozenset() if known else _renew(model)


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """Turn what the libraries raise for damaged files into BadInput; a FinloopError passes."""
    try:
        yield
    except FinloopError:
        raise
    except Exception as error:  # a damaged file or an odd configuration raises nearly anything in transformers
        reason = str(error).strip().split("\n", maxsplit=1)[0].rstrip(".") or type(error).__name__
        raise BadInput(
            f"the weights or the configuration of {name} cannot be read: {reason}", Part.BASE_MODEL
        ) from error


def output_labels(folder: Path) -> tuple[str, ...]:
    """The labels of a trained model in the order of its outputs, as its configuration names them."""
    names = json.loads((folder / "config.json").read_text())["id2label"]
    return tuple(_in_order(names))


def _in_order(id2label: Mapping[Any, str]) -> list[str]:
    """The names in the order of the outputs. In a file the numbers are strings, as JSON wants."""
    return [id2label[index] for index in sorted(id2label, key=int)]


def _renew(model: Any) -> frozenset[str]:
    """Start the head from random values, and the pooler too, which was trained for another task or not at all.

    Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning": a new pooler makes training on few rows more stable.
    With the old one, one of eight candidates from MiniLM could not tell good news from bad (macro-F1 .50, not .80).
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
