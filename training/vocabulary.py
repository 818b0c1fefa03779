"""Trains with the tokens that the rows have: the others get no gradient, yet on a processor cost a tenth of a step.

Two thousand sentences have some thousands of BERT's 30,000 tokens, and the optimizer walks through all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Encoded = Mapping[str, Any]
"""An encoded row: `input_ids` and whatever else the model takes."""


class UsedTokens:
    """Cuts a model's input embeddings down to the tokens of some rows, until `put_back`.

    Ids up to `pad` stay as they are: batches are padded later, and some models count positions from that id. The same
    rows then give the same losses and gradients; tokens that they do not have keep the vectors of the base model.
    """

    def __init__(self, model: Any, rows: Sequence[Encoded], pad: int) -> None:
        """Nothing but the embedding's weight is replaced, so this comes before the optimizer is made."""
        import torch

        used = {token for row in rows for token in row["input_ids"]}
        kept = sorted(used | set(range(pad + 1)))
        self._numbers = {token: number for number, token in enumerate(kept)}
        self._kept = torch.tensor(kept)
        self._embedding = model.get_input_embeddings()
        self._whole = self._embedding.weight.detach()
        self._set(self._whole[self._kept.to(self._whole.device)].clone())

    def renumber(self, rows: Sequence[Encoded]) -> list[dict[str, Any]]:
        """The rows with the numbers that their tokens have for now. Raises KeyError for a token of other rows."""
        return [{**row, "input_ids": [self._numbers[token] for token in row["input_ids"]]} for row in rows]

    def put_back(self) -> None:
        """Give the model its whole vocabulary again, with what was learnt of the used tokens."""
        learnt = self._embedding.weight.detach()
        whole = self._whole.to(learnt.device).clone()
        whole[self._kept.to(whole.device)] = learnt.to(whole.dtype)
        self._set(whole)

    def _set(self, weight: Any) -> None:
        from torch import nn

        self._embedding.weight = nn.Parameter(weight)
        self._embedding.num_embeddings = len(weight)
