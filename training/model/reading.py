"""Decides what a model reads of a text: training and prediction turn texts into tokens here, and nowhere else.

A text of more tokens than the model reads is cut, and the cut is reported. The letters of a link say nothing of what a
post means, and they are a quarter of a post's tokens. How a model reads is written into its configuration, so that a
model reads in service as it read in training, whatever later versions of finloop do.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from storage.text import LINK

MAX_TOKENS = 128
"""Longer texts are cut: a headline or a post has about 30 tokens, and attention costs the square of the length."""
LINK_WORD = "http"
"""The word that stands for all links."""
FIELD = "finloop_reading"
"""The field of a trained model's configuration that names its reading. Without the field, a model reads heads."""


class Reading(StrEnum):
    """The part of a long text that a model reads, and whether it reads the letters of links."""

    HEAD = "head"
    HEAD_AND_TAIL = "head and tail"
    LINKS_AS_WORD = "head and tail, links as a word"


@dataclass(frozen=True, slots=True)
class Encoded:
    """The model's inputs by name, one list of numbers a text, and whether each text was cut."""

    columns: dict[str, list[list[int]]]
    truncated: list[bool]


def reading_of(config: Any) -> Reading:
    """How a trained model reads texts."""
    return Reading(getattr(config, FIELD, Reading.HEAD))


def tokens_read(model: Any) -> int:
    """How many tokens of a text a model reads: MAX_TOKENS, or fewer where the model has fewer positions.

    RoBERTa and its relatives count positions from their padding id: 514 positions are 512 tokens. A model without
    positions of its own (XLNet, T5) has no limit.
    """
    from torch import nn

    limits = [MAX_TOKENS]
    declared = getattr(model.config, "max_position_embeddings", None)
    if isinstance(declared, int) and declared > 0:
        limits.append(declared)
    for name, module in model.named_modules():
        table = name.endswith("position_embeddings") and isinstance(module, nn.Embedding)
        if table and module.padding_idx is not None:
            limits.append(module.num_embeddings - module.padding_idx - 1)
    return min(limits)


def prepared(texts: Sequence[str], reading: Reading) -> list[str]:
    """The texts as the tokenizer gets them."""
    return [LINK.sub(LINK_WORD, text) for text in texts] if reading is Reading.LINKS_AS_WORD else list(texts)


def encode(tokenizer: Any, texts: Sequence[str], limit: int, reading: Reading) -> Encoded:
    """The tokens of `texts`, at most `limit` a text, without padding. The tokens at both ends of a text are kept.

    A special token that a text spells out ("</s>", "[SEP]") is read as text.
    """
    if not texts:
        return Encoded({"input_ids": []}, [])
    texts = prepared(texts, reading)
    columns = _tokens(tokenizer, texts, verbose=False)
    truncated = [len(row) > limit for row in columns["input_ids"]]
    long = [index for index, cut in enumerate(truncated) if cut]
    if not long:
        return Encoded(columns, truncated)
    if reading is Reading.HEAD:
        heads = _tokens(tokenizer, [texts[index] for index in long], truncation=True, max_length=limit)
        shorter = {name: dict(zip(long, heads[name], strict=True)) for name in columns}
    else:
        tail = limit // 2
        shorter = {
            name: {at: rows[at][: limit - tail] + rows[at][-tail:] for at in long} for name, rows in columns.items()
        }
    kept = {name: [shorter[name].get(at, row) for at, row in enumerate(rows)] for name, rows in columns.items()}
    return Encoded(kept, truncated)


def _tokens(tokenizer: Any, texts: list[str], **more: Any) -> dict[str, list[list[int]]]:
    """The columns of some texts, whose special tokens are only those that the tokenizer itself puts around a text.

    T5 and BART look for the end of a text by its number: a second one would make a batch fail. A vocabulary of pieces
    (T5, XLM-RoBERTa) finds "</s>" as a piece even where special tokens are split, so such a piece becomes unknown.
    """
    columns = dict(tokenizer(texts, split_special_tokens=True, return_special_tokens_mask=True, **more))
    put = columns.pop("special_tokens_mask")
    unknown = tokenizer.unk_token_id
    special = set(tokenizer.all_special_ids) - {unknown}
    for row, own in zip(columns["input_ids"], put, strict=True):
        if unknown is not None and sum(map(special.__contains__, row)) > sum(own):
            row[:] = [unknown if token in special and not mine else token for token, mine in zip(row, own, strict=True)]
    return columns


def padded(tokenizer: Any, columns: Mapping[str, Sequence[Sequence[int]]]) -> dict[str, list[list[int]]]:
    """The rows filled up to the longest one, on the side where the tokenizer pads: XLNet reads the end of a row."""
    fill = {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": tokenizer.pad_token_type_id}
    width = max(len(row) for row in columns["input_ids"])
    left = tokenizer.padding_side == "left"
    filled: dict[str, list[list[int]]] = {}
    for name, rows in columns.items():
        value = fill.get(name, 0)
        gaps = [[value] * (width - len(row)) for row in rows]
        filled[name] = [gap + list(row) if left else list(row) + gap for gap, row in zip(gaps, rows, strict=True)]
    return filled


def inputs_of(model: Any) -> frozenset[str]:
    """The names of the inputs that a model takes: a tokenizer may give more (token types to a DistilBERT)."""
    return frozenset(inspect.signature(model.forward).parameters)
