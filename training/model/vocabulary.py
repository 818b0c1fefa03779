"""Leaves unused tokens out of a training: they get no gradient, but cost a tenth of a step on a processor.

Two thousand sentences have a few thousand of BERT's 30,000 tokens; the optimizer would update all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_LOOKED_FOR = ("pad_token_id", "eos_token_id", "decoder_start_token_id")
"""The fields of a configuration that name tokens for which models look while they run."""

Encoded = Mapping[str, Any]
"""An encoded row: `input_ids` and the other inputs of the model."""


class UsedTokens:
    """Reduces a model's input embeddings to the tokens of some rows, until `put_back`.

    The ids up to those of padding and end of text stay the same: batches are padded later, and models look for both.
    The rows give the same losses and gradients as before. Unused tokens keep the vectors of the base model. A model
    without token embeddings (CANINE) stays as it is; where the id of padding is high, few tokens are left out.
    """

    def __init__(self, model: Any, rows: Sequence[Encoded], pad: int) -> None:
        """Call this before the optimizer is made: it replaces parameters. `pad` is the tokenizer's padding id."""
        import torch

        self._sharing = _embeddings(model)
        if not self._sharing:
            return
        first = self._sharing[0]
        named = [first.padding_idx, *(getattr(model.config, field, None) for field in _LOOKED_FOR)]
        # A configuration may name ids that its model does not have: they are defaults of a larger vocabulary.
        present = [token for token in named if isinstance(token, int) and token < len(first.weight)]
        fixed = range(max([pad, *present]) + 1)
        kept = sorted({token for row in rows for token in row["input_ids"]} | set(fixed))
        self._numbers = {token: number for number, token in enumerate(kept)}
        self._kept = torch.tensor(kept)
        self._whole = first.weight.detach()
        self._set(self._whole[self._kept.to(self._whole.device)].clone())

    def renumber(self, rows: Sequence[Encoded]) -> list[dict[str, Any]]:
        """The rows with the new ids of their tokens. Raises KeyError for a token that none of the first rows had."""
        if not self._sharing:
            return [dict(row) for row in rows]
        return [{**row, "input_ids": [self._numbers[token] for token in row["input_ids"]]} for row in rows]

    def put_back(self) -> None:
        """Give the model its whole vocabulary again, with the learnt vectors of the used tokens."""
        if not self._sharing:
            return
        learnt = self._sharing[0].weight.detach()
        whole = self._whole.to(learnt.device).clone()
        whole[self._kept.to(whole.device)] = learnt.to(whole.dtype)
        self._set(whole)

    def _set(self, weight: Any) -> None:
        from torch import nn

        parameter = nn.Parameter(weight)
        for embedding in self._sharing:
            embedding.weight, embedding.num_embeddings = parameter, len(weight)


def _embeddings(model: Any) -> list[Any]:
    """Every embedding layer of the input tokens; BART's encoder and decoder have one each, with shared vectors."""
    from torch import nn

    try:
        weight = getattr(model.get_input_embeddings(), "weight", None)
    except NotImplementedError:
        return []
    return [module for module in model.modules() if isinstance(module, nn.Embedding) and module.weight is weight]
