"""Names the files that together are one model, in a folder as in a repository of the hub.

A repository holds more than one model: deberta-v3 keeps its generator beside its weights, others an optimizer, an
adapter, or the same weights for another framework. Only files that belong together are taken.
"""

import re
from collections.abc import Collection

from storage.errors import BadInput, Part

CONFIG = "config.json"
VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spm.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
"""A tokenizer reads its words from one of these files. `merges.txt` and `bpe.codes` only complete a vocabulary."""
PIECES = tuple(name for name in VOCABULARIES if name.endswith(".model"))
"""Vocabularies that only the package sentencepiece can read."""

_BESIDE = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "merges.txt",
    "bpe.codes",
)
_WHOLE = ("model.safetensors", "pytorch_model.bin")
_SHARDS = (
    (r"model-(\d+)-of-(\d+)\.safetensors", "model.safetensors.index.json"),
    (r"pytorch_model-(\d+)-of-(\d+)\.bin", None),  # finloop joins pickled shards itself: the index is not read
)
_ADAPTER = "adapter_config.json"


def files_of(names: Collection[str], where: str) -> list[str]:
    """The files of the model among the top-level `names`: configuration, tokenizer, and one set of weights.

    Raises BadInput, which names `where` and what is missing: no configuration, no weights, shards that are not all
    there, or an adapter in the place of a model.
    """
    if _ADAPTER in names:
        raise BadInput(
            f"{where} is an adapter (it has {_ADAPTER}), not a whole model.\n"
            "Merge it into its base model (merge_and_unload of the package peft) and name the merged model.",
            Part.BASE_MODEL,
        )
    if CONFIG not in names:
        raise BadInput(f"{where} is not a model: it has no {CONFIG}", Part.BASE_MODEL)
    described = [name for name in (CONFIG, *VOCABULARIES, *_BESIDE) if name in names]
    return described + weights_of(names, where)


def weights_of(names: Collection[str], where: str) -> list[str]:
    """The weights among `names`: one whole file or all numbered shards; safetensors before pickled weights.

    An index that the loader needs comes with its shards. Raises BadInput where there is no complete set.
    """
    absent: list[str] = []
    for whole, (shard, index) in zip(_WHOLE, _SHARDS, strict=True):
        if whole in names:
            return [whole]
        for count in sorted({found[2] for name in names if (found := re.fullmatch(shard, name))}):
            wanted = _shards(shard, count)
            missing = [name for name in ([*wanted, index] if index else wanted) if name not in names]
            if not missing:
                return [*wanted, index] if index else wanted
            absent += missing
    if absent:
        raise BadInput(f"{where} lacks a part of its weights: {', '.join(absent[:3])}", Part.BASE_MODEL)
    others = sorted(
        name for name in names if name.endswith((".h5", ".msgpack", ".onnx", ".gguf", ".bin", ".safetensors"))
    )
    instead = f"; it has only {', '.join(others[:3])}" if others else ""
    raise BadInput(f"{where} has neither model.safetensors nor pytorch_model.bin{instead}", Part.BASE_MODEL)


def _shards(pattern: str, count: str) -> list[str]:
    """The names of all shards of a set; a number has as many digits as the count."""
    form = pattern.replace(r"\.", ".").replace(r"(\d+)", "{}")
    return [form.format(f"{number:0{len(count)}d}", count) for number in range(1, int(count) + 1)]
