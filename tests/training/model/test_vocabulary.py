"""The tokens that the rows do not have cost nothing and lose nothing."""

import copy
from typing import Any

import pytest
import torch
from transformers import (
    BartConfig,
    BartForSequenceClassification,
    BertConfig,
    BertForSequenceClassification,
    CanineConfig,
    CanineForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from training.model.vocabulary import UsedTokens

SMALL = {"vocab_size": 80, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 64, "max_position_embeddings": 64, "num_labels": 3}  # fmt: skip
BART = {"vocab_size": 80, "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "num_labels": 3}  # fmt: skip
END = 2
ROWS = [{"input_ids": [3, 20, 30, END]}, {"input_ids": [3, 31, END]}]
KEPT = {0: [0, 2, 3, 20, 30, 31], 1: [0, 1, 2, 3, 20, 30, 31]}
"""What is left by padding id: the rows' tokens, and all ids up to padding's."""


def bert() -> Any:
    return BertForSequenceClassification(BertConfig(**SMALL, pad_token_id=0))


def roberta() -> Any:
    """Counts its positions from the padding id."""
    return RobertaForSequenceClassification(RobertaConfig(**SMALL, pad_token_id=1))


def bart() -> Any:
    """Looks for the text's end, and shares one embedding between encoder and decoder."""
    return BartForSequenceClassification(BartConfig(**BART, pad_token_id=1, eos_token_id=END))


@pytest.fixture(params=[bert, roberta, bart])
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    return request.param().eval()


@pytest.fixture
def pad(model: Any) -> int:
    return int(model.config.pad_token_id)


def loss(model: Any, rows: list[dict[str, Any]], pad: int) -> Any:
    width = max(len(row["input_ids"]) for row in rows)
    ids = torch.tensor([row["input_ids"] + [pad] * (width - len(row["input_ids"])) for row in rows])
    return model(input_ids=ids, attention_mask=(ids != pad).long(), labels=torch.tensor([0, 2])).loss


def vectors(model: Any) -> Any:
    return model.get_input_embeddings().weight.detach().clone()


def test_only_used_tokens_and_those_up_to_padding_are_left(model: Any, pad: int) -> None:
    before = vectors(model)
    UsedTokens(model, ROWS, pad)
    assert torch.equal(vectors(model), before[KEPT[pad]])


def test_ids_up_to_padding_keep_their_numbers(model: Any) -> None:
    tokens = UsedTokens(model, ROWS, pad=4)
    assert tokens.renumber([{"input_ids": [4, 20, 3], "labels": 1}]) == [{"input_ids": [4, 5, 3], "labels": 1}]


def test_the_same_rows_give_the_same_loss_and_gradients(model: Any, pad: int) -> None:
    whole = copy.deepcopy(model)
    cut = UsedTokens(model, ROWS, pad).renumber(ROWS)
    expected, found = loss(whole, ROWS, pad), loss(model, cut, pad)
    assert found.item() == pytest.approx(expected.item(), abs=1e-6)
    expected.backward()
    found.backward()
    of_all = whole.get_input_embeddings().weight
    of_used = model.get_input_embeddings().weight
    assert torch.allclose(of_used.grad, of_all.grad[KEPT[pad]], atol=1e-6)
    assert not of_all.grad[[token for token in range(80) if token not in KEPT[pad]]].any()
    others = dict(whole.named_parameters())
    for name, parameter in model.named_parameters():
        if parameter is not of_used and parameter.grad is not None:
            assert torch.allclose(parameter.grad, others[name].grad, atol=1e-6), name


def test_what_was_learnt_comes_back_and_the_rest_is_as_it_was(model: Any, pad: int) -> None:
    before, whole = vectors(model), copy.deepcopy(model)
    tokens = UsedTokens(model, ROWS, pad)
    with torch.no_grad():
        model.get_input_embeddings().weight += 1
        whole.get_input_embeddings().weight += 1
    tokens.put_back()
    after, used = vectors(model), [2, 3, 20, 30, 31]
    unused = [token for token in range(4, 80) if token not in used]
    assert after.shape == before.shape and model.get_input_embeddings().num_embeddings == len(before)
    assert torch.equal(after[used], before[used] + 1)
    assert torch.equal(after[unused], before[unused])
    # Every place that holds the embedding is whole again.
    assert loss(model, ROWS, pad).item() == pytest.approx(loss(whole, ROWS, pad).item(), abs=1e-6)


def test_a_token_of_other_rows_is_not_taken_for_another(model: Any, pad: int) -> None:
    with pytest.raises(KeyError):
        UsedTokens(model, ROWS, pad).renumber([{"input_ids": [3, 50, END]}])


def test_a_model_without_an_embedding_by_token_is_left_alone() -> None:
    tiny = CanineConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, num_labels=3)
    model = CanineForSequenceClassification(tiny)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    tokens = UsedTokens(model, ROWS, 0)
    assert tokens.renumber(ROWS) == ROWS
    tokens.put_back()
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())
