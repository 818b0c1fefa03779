"""Refuses, before a training, a base model that cannot work: by name, with what is missing and with the cure.

Such a base would otherwise end in a traceback hours later, or in a model that learnt nothing. Unknown words make no
error anywhere: a tokenizer without its vocabulary still gives numbers.
"""

import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from storage.errors import BadInput, Part
from training.model.files import CONFIG, PIECES, VOCABULARIES
from training.model.reading import Encoded, inputs_of, padded

MOST_UNKNOWN = 0.2
"""The largest share of the training rows' tokens that may be unknown. With MiniLM's vocabulary no token of the
PhraseBank is unknown, and 0.03 % of the tokens of 9,543 finance tweets are."""
MOST_NEW = 0.01
"""The largest share of a body's parameters that its weights may lack. One of 24 layers is 4 %."""

_CHARACTERS = ("CanineTokenizer", "ByT5Tokenizer", "PerceiverTokenizer")
"""Tokenizers of characters or bytes, which have no vocabulary file."""


def check_type(folder: Path, name: str) -> None:
    """Raise BadInput where the configuration is no JSON, or its type of model cannot classify texts."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        kind = config.get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(f"{CONFIG} of {name} is damaged or cut off: {_line(error)}", Part.BASE_MODEL) from error
    if kind in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES:
        return
    if config.get("auto_map"):
        reason = "it needs Python code of its own (auto_map), which finloop never runs"
    elif kind is None:
        reason = f"its {CONFIG} names no model_type"
    elif kind in CONFIG_MAPPING_NAMES:
        reason = f"a model of type {kind} cannot classify texts"
    else:
        reason = f"its type {kind} is unknown to the installed version of transformers"
    raise BadInput(f"{name} cannot be a base model: {reason}", Part.BASE_MODEL)


def load_tokenizer(folder: Path, name: str, part: Part | None = Part.BASE_MODEL) -> Any:
    """The tokenizer in a folder. Raises BadInput where there is none, or where it cannot be read."""
    from transformers import AutoTokenizer

    there = [file for file in VOCABULARIES if (folder / file).is_file()]
    if not there and not _reads_characters(folder):
        raise BadInput(f"{name} has no tokenizer: none of {', '.join(VOCABULARIES)}", part)
    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:  # the library tokenizers raises bare exceptions for files that it cannot read
        raise BadInput(f"the tokenizer of {name} cannot be read: {_unreadable(folder, there, error)}", part) from error


def check_tokens(tokenizer: Any, rows: Encoded, name: str) -> None:
    """Raise BadInput where the tokenizer cannot fill batches, or knows too little of the rows."""
    if tokenizer.pad_token_id is None:
        raise BadInput(
            f"the tokenizer of {name} has no padding token, so rows cannot be trained in batches", Part.BASE_MODEL
        )
    unknown = unknown_share(tokenizer, rows.columns["input_ids"])
    if unknown > MOST_UNKNOWN:
        raise BadInput(
            f"the tokenizer of {name} does not know the training rows: {unknown:.0%} of their tokens are unknown, "
            f"{MOST_UNKNOWN:.0%} may be.\nIts vocabulary is incomplete, or made for another language or script.",
            Part.BASE_MODEL,
        )


def unknown_share(tokenizer: Any, rows: Sequence[Sequence[int]]) -> float:
    """The share of unknown tokens among those that stand for text; a row without any token counts as one unknown."""
    ends = {tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id}
    unknown = None if tokenizer.unk_token_id in ends else tokenizer.unk_token_id
    around = set(tokenizer.all_special_ids) - {unknown}
    read = missed = 0
    for row in rows:
        words = [token for token in row if token not in around]
        read += max(1, len(words))
        missed += sum(token == unknown for token in words) if words else 1
    return missed / max(1, read)


def check_weights(model: Any, loading: Mapping[str, Any], name: str) -> None:
    """Raise BadInput where the weights did not fill the model below its head: other shapes, or missing layers."""
    body = f"{model.base_model_prefix}."
    sizes = {
        key: parameter.numel()
        for key, parameter in model.named_parameters()
        if key.startswith(body) and "pooler." not in key
    }
    other = sorted(key for key, *_ in loading["mismatched_keys"] if key in sizes)
    if other:
        raise BadInput(f"the weights of {name} do not fit its {CONFIG}: {other[0]} has another shape", Part.BASE_MODEL)
    absent = [key for key in loading["missing_keys"] if key in sizes]
    share = sum(sizes[key] for key in absent) / max(1, sum(sizes.values()))
    if share > MOST_NEW:
        raise BadInput(
            f"the weights of {name} lack {share:.0%} of the model that its {CONFIG} describes, "
            f"such as {sorted(absent)[0]}",
            Part.BASE_MODEL,
        )


def rehearse(model: Any, tokenizer: Any, rows: Encoded, name: str) -> None:
    """Raise BadInput where the model cannot read the tokens, or where a text's answer depends on its batch.

    The shortest and the longest row go through the model together, and the shortest once more alone. The model must be
    on the processor: an id out of range would end a GPU's context.
    """
    import torch

    _check_ids(model, tokenizer, name)
    order = sorted(range(len(rows.truncated)), key=lambda index: len(rows.columns["input_ids"][index]))
    model.eval()
    try:
        together, alone = (_logits(model, tokenizer, rows, chosen) for chosen in ([order[0], order[-1]], order[:1]))
    except (IndexError, RuntimeError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise BadInput(f"{name} cannot read the training rows: {_line(error)}", Part.BASE_MODEL) from error
    if together.shape != (2, model.config.num_labels) or not bool(torch.isfinite(together).all()):
        raise BadInput(f"{name} does not give a number for each label: its weights are damaged", Part.BASE_MODEL)
    if float((together[0] - alone[0]).abs().max()) > 0.02 * float(together.abs().max()) + 1e-5:
        raise BadInput(
            f"{name} answers differently when a text shares its batch with a longer one: "
            "its tokenizer and its model do not agree on the padding",
            Part.BASE_MODEL,
        )


def _logits(model: Any, tokenizer: Any, rows: Encoded, chosen: Sequence[int]) -> Any:
    import torch

    taken = {
        key: [column[index] for index in chosen] for key, column in rows.columns.items() if key in inputs_of(model)
    }
    with torch.inference_mode():
        return model(**{key: torch.tensor(column) for key, column in padded(tokenizer, taken).items()}).logits


def _check_ids(model: Any, tokenizer: Any, name: str) -> None:
    """Every id of the vocabulary needs a vector, also one that no training row has: it comes in service."""
    try:
        vectors = getattr(model.get_input_embeddings(), "num_embeddings", None)
    except NotImplementedError:
        return
    highest = max(tokenizer.get_vocab().values(), default=0)
    if vectors is not None and highest >= vectors:
        raise BadInput(
            f"the tokenizer of {name} has tokens up to number {highest:,}, but the model only {vectors:,} vectors.\n"
            "Put the tokenizer that belongs to the weights beside them.",
            Part.BASE_MODEL,
        )


def _reads_characters(folder: Path) -> bool:
    try:
        settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        return settings.get("tokenizer_class") in _CHARACTERS
    except (OSError, ValueError, AttributeError):
        return False


def _unreadable(folder: Path, there: Sequence[str], error: Exception) -> str:
    """Why a tokenizer cannot be read: a missing package, a damaged file, or a file of a newer library."""
    if "tokenizer.json" in there:
        try:
            json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        except ValueError:
            return "tokenizer.json is damaged or cut off.\nCopy the file again."
        return f"{_line(error)}.\nIts tokenizer.json may be written by a newer version of the library tokenizers."
    pieces = [file for file in there if file in PIECES]
    if pieces and importlib.util.find_spec("sentencepiece") is None:
        return f"{pieces[0]} needs the package sentencepiece.\nInstall it: pip install sentencepiece"
    if isinstance(error, ImportError) or not there:
        return _line(error)
    return f"{there[0]} is damaged, cut off, or lacks a file that belongs to it ({_line(error)})"


def _line(error: Exception) -> str:
    said = str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
    return said[:200] or type(error).__name__
