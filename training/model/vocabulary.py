"""Trains with the tokens that the rows have: the others get no gradient, yet on a processor cost a tenth of a step.

Two thousand sentences have some thousands of BERT's 30,000 tokens, and the optimizer walks through all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Encoded = Mapping[str, Any]
"""An encoded row: `input_ids` and whatever else the model takes."""


class UsedTokens:
    """Cuts a model's input embeddings down to the tokens of some rows, until `put_back`.

    Ids up to those of padding and the text's end stay as they are: batches are padded later, and models look for both.
    The same rows then give the same losses and gradients; tokens that they do not have keep the base model's vectors.
    Nothing is cut where there is no embedding by token (CANINE), and little where padding is a late token.
    """

    def __init__(self, model: Any, rows: Sequence[Encoded], pad: int) -> None:
        """Comes before the optimizer is made: parameters are replaced. `pad` is the tokenizer's padding id."""
        import torch

        self._sharing = _embeddings(model)
        if not self._sharing:
            return
        first = self._sharing[0]
        named = (first.padding_idx, model.config.pad_token_id, getattr(model.config, "eos_token_id", None))
        fixed = range(max([pad, *(token for token in named if token is not None)]) + 1)
        kept = sorted({token for row in rows for token in row["input_ids"]} | set(fixed))
        self._numbers = {token: number for number, token in enumerate(kept)}
        self._kept = torch.tensor(kept)
        self._whole = first.weight.detach()
        self._set(self._whole[self._kept.to(self._whole.device)].clone())

    def renumber(self, rows: Sequence[Encoded]) -> list[dict[str, Any]]:
        """The rows with the numbers that their tokens have for now. Raises KeyError for a token of other rows."""
        if not self._sharing:
            return [dict(row) for row in rows]
        return [{**row, "input_ids": [self._numbers[token] for token in row["input_ids"]]} for row in rows]

    def put_back(self) -> None:
        """Give the model its whole vocabulary again, with what was learnt of the used tokens."""
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
    """Every embedding that holds the vectors of the input tokens: BART's encoder and decoder share theirs."""
    from torch import nn

    try:
        weight = getattr(model.get_input_embeddings(), "weight", None)
    except NotImplementedError:
        return []
    return [module for module in model.modules() if isinstance(module, nn.Embedding) and module.weight is weight]
