from pathlib import Path

import torch
from safetensors.torch import load_file

from tests.fixtures_models import write_tiny_model
from tests.schemes import LABELS
from training.model.base_model import BaseModel
from training.model.head import with_our_labels


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from transformers import AutoModel

    return dict(AutoModel.from_pretrained(folder).named_parameters())


def test_a_base_without_our_names_gets_a_head_in_our_order_and_a_new_pooler(tiny_base: BaseModel) -> None:
    torch.manual_seed(0)
    model, _ = with_our_labels(tiny_base.folder, LABELS)
    assert [model.config.id2label[index] for index in range(3)] == list(LABELS)
    assert model.classifier.weight.shape == (3, 32)
    for name, before in weights(tiny_base.folder).items():
        same = torch.equal(model.base_model.get_parameter(name), before)
        assert same is not name.startswith("pooler.dense.weight"), name


def test_what_was_drawn_anew_is_named_and_nothing_else(tiny_base: BaseModel) -> None:
    _, new = with_our_labels(tiny_base.folder, LABELS)
    assert new == {"classifier.weight", "classifier.bias", "bert.pooler.dense.weight", "bert.pooler.dense.bias"}


def test_a_three_way_head_with_other_names_is_not_taken_for_ours(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "stars", names=("one", "two", "three"))
    model, _ = with_our_labels(folder, LABELS)
    assert not torch.equal(model.classifier.weight, load_file(folder / "model.safetensors")["classifier.weight"])


def test_new_parts_follow_the_seed(tiny_base: BaseModel) -> None:
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        model, _ = with_our_labels(tiny_base.folder, LABELS)
        drawn.append(model.base_model.pooler.dense.weight)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_model_with_our_names_keeps_its_pooler_and_its_order(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "finbert", names=("positive", "negative", "neutral"))
    model, new = with_our_labels(folder, LABELS)
    assert not new
    assert [model.config.id2label[index] for index in range(3)] == ["positive", "negative", "neutral"]
    assert torch.equal(model.base_model.pooler.dense.weight, weights(folder)["pooler.dense.weight"])
