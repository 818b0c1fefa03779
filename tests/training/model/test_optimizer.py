"""Who learns at which rate, and who decays."""

from typing import Any

import pytest
import torch

from tests.schemes import LABELS
from training.model.base_model import BaseModel
from training.model.head import with_our_labels
from training.model.optimizer import parameter_groups

Settings = dict[str, tuple[float, float]]


def settings(groups: list[dict[str, Any]], model: Any) -> Settings:
    """Rate and decay of every parameter by name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(each)]: (group["lr"], group["weight_decay"]) for group in groups for each in group["params"]}


@pytest.fixture
def given(tiny_base: BaseModel) -> tuple[Settings, frozenset[str]]:
    model, new = with_our_labels(tiny_base.folder, LABELS)
    return settings(parameter_groups(model, new, 1e-4, head_rate=10, weight_decay=0.01), model), new


def test_what_starts_from_nothing_learns_faster(given: tuple[Settings, frozenset[str]]) -> None:
    found, new = given
    assert new
    for name, (rate, _) in found.items():
        assert rate == pytest.approx(1e-3 if name in new else 1e-4), name


def test_biases_and_norms_do_not_decay(given: tuple[Settings, frozenset[str]]) -> None:
    for name, (_, decay) in given[0].items():
        assert decay == (0.0 if name.endswith("bias") or "LayerNorm" in name else 0.01), name


def test_every_parameter_that_learns_is_in_one_group_and_a_frozen_one_in_none() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[0].weight.requires_grad = False
    groups = parameter_groups(model, frozenset({"1.weight"}), 1e-4, head_rate=10, weight_decay=0.01)
    assert sorted(settings(groups, model)) == ["0.bias", "1.bias", "1.weight"]
    assert sum(len(group["params"]) for group in groups) == 3
