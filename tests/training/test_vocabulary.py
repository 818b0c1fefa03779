"""The tokens that the rows do not have cost nothing and lose nothing."""

import copy
from typing import Any

import pytest
import torch

from training.base_model import BaseModel
from training.head import with_our_labels
from training.vocabulary import UsedTokens

ROWS = [{"input_ids": [2, 20, 30, 3]}, {"input_ids": [2, 31, 3]}]
UNUSED = [one for one in range(1, 80) if one not in (2, 3, 20, 30, 31)]
PAD = 0


@pytest.fixture
def model(tiny_base: BaseModel) -> Any:
    torch.manual_seed(0)
    made, _ = with_our_labels(tiny_base.folder)
    return made.eval()


def loss(model: Any, rows: list[dict[str, Any]]) -> Any:
    width = max(len(row["input_ids"]) for row in rows)
    ids = torch.tensor([row["input_ids"] + [PAD] * (width - len(row["input_ids"])) for row in rows])
    return model(input_ids=ids, attention_mask=(ids != PAD).long(), labels=torch.tensor([0, 2])).loss


def test_only_used_tokens_and_those_up_to_padding_are_left(model: Any) -> None:
    before = model.get_input_embeddings().weight.detach().clone()
    UsedTokens(model, ROWS, PAD)
    assert torch.equal(model.get_input_embeddings().weight, before[[PAD, 2, 3, 20, 30, 31]])


def test_ids_up_to_padding_keep_their_numbers(model: Any) -> None:
    tokens = UsedTokens(model, ROWS, pad=4)
    assert tokens.renumber([{"input_ids": [4, 20, 3], "labels": 1}]) == [{"input_ids": [4, 5, 3], "labels": 1}]


def test_the_same_rows_give_the_same_loss_and_gradients(model: Any) -> None:
    whole = copy.deepcopy(model)
    tokens = UsedTokens(model, ROWS, PAD)
    cut = tokens.renumber(ROWS)
    expected, found = loss(whole, ROWS), loss(model, cut)
    assert found.item() == pytest.approx(expected.item(), abs=1e-6)
    expected.backward()
    found.backward()
    gradients = whole.get_input_embeddings().weight.grad
    assert torch.allclose(model.get_input_embeddings().weight.grad, gradients[[PAD, 2, 3, 20, 30, 31]], atol=1e-7)
    assert not gradients[UNUSED].any()


def test_what_was_learnt_comes_back_and_the_rest_is_as_it_was(model: Any) -> None:
    before = model.get_input_embeddings().weight.detach().clone()
    tokens = UsedTokens(model, ROWS, PAD)
    with torch.no_grad():
        model.get_input_embeddings().weight += 1
    tokens.put_back()
    after = model.get_input_embeddings().weight
    assert after.shape == before.shape and model.get_input_embeddings().num_embeddings == len(before)
    assert torch.equal(after[[2, 3, 20, 30, 31]], before[[2, 3, 20, 30, 31]] + 1)
    assert torch.equal(after[UNUSED], before[UNUSED])


def test_a_token_of_other_rows_is_not_taken_for_another(model: Any) -> None:
    with pytest.raises(KeyError):
        UsedTokens(model, ROWS, PAD).renumber([{"input_ids": [2, 50, 3]}])
