"""A base model that cannot work is refused by name before a training, with what is missing and the cure."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from storage.errors import BadInput, Part
from storage.records import Row, Split
from storage.text import text_id
from tests.schemes import LABELS
from tests.training.model.architectures import WORDS, write_base, write_tokenizer
from training.model.base_model import find_base_model
from training.model.finetune import finetune
from training.model.recipe import Recipe
from training.model.soundness import load_tokenizer

TEXTS = [f"company {number} {word} in the quarter" for number in range(2) for word in ("rose", "meeting", "fell")]
ROWS = [
    Row(text_id(text), text, LABELS[index % 3], [Split.TRAIN, Split.VALIDATION][index // 3], "seed", text_id(text))
    for index, text in enumerate(TEXTS)
]


def remove(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def cut(name: str) -> Callable[[Path], None]:
    """As an interrupted copy leaves a file."""
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size // 2)


def configure(name: str = "config.json", **fields: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**content, **fields}))

    return change


def write(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


def weigh(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Callable[[Path], None]:
    def rewrite(folder: Path) -> None:
        file = folder / "model.safetensors"
        save_file(change(load_file(file)), file, metadata={"format": "pt"})

    return rewrite


def pieces_alone(folder: Path) -> None:
    """As microsoft/deberta-v3-base: spm.model is the only vocabulary."""
    remove("tokenizer.json")(folder)
    (folder / "spm.model").write_bytes(b"no vocabulary")
    configure("tokenizer_config.json", tokenizer_class="DebertaV2Tokenizer")(folder)


UNSOUND: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no tokenizer": (remove("tokenizer.json", "tokenizer_config.json"), "no tokenizer"),
    "settings of a tokenizer without its words": (remove("tokenizer.json"), "no tokenizer"),
    "words of another language": (
        lambda folder: write_tokenizer(folder, words=["firma", "stieg", "company"]),
        "unknown, 20% may be",
    ),
    "a sentencepiece vocabulary that cannot be read": (pieces_alone, "spm.model is damaged, cut off"),
    "a tokenizer that was cut": (cut("tokenizer.json"), "tokenizer.json is damaged or cut off"),
    "a tokenizer of a newer library": (
        configure("tokenizer.json", model={"type": "Quantum", "vocab": {}}), "newer version of the library tokenizers"
    ),
    "more words than vectors": (lambda folder: write_tokenizer(folder, words=[*WORDS, *"abcdefghijklmnopqrstuvwxyz"]),
                                "up to number 46, but the model only 40 vectors"),
    "no padding token": (lambda folder: write_tokenizer(folder, pad_token=None), "no padding token"),
    "weights that were cut": (cut("model.safetensors"), "weights or the configuration of .* cannot be read"),
    "weights without a layer": (
        weigh(lambda held: {name: value for name, value in held.items() if "layer.0" not in name}), "lack .* such as"
    ),
    "weights of another size": (configure(hidden_size=32), "do not fit its config.json"),
    "weights that are not numbers": (
        weigh(lambda held: {name: torch.full_like(value, float("nan")) for name, value in held.items()}), "damaged"
    ),
    "a configuration that was cut": (cut("config.json"), "config.json of .* is damaged"),
    "a configuration that is a list": (write("config.json", "[]"), "config.json of .* is damaged"),
    "a configuration without a type": (configure(model_type=None), "names no model_type"),
    "a type that needs code": (configure(model_type="own", auto_map={"AutoModel": "own.Model"}), "auto_map"),
    "a type of a newer library": (configure(model_type="bert9"), "bert9 is unknown"),
    "a type that classifies no texts": (configure(model_type="vit"), "vit cannot classify texts"),
    "an adapter": (write("adapter_config.json", "{}"), "is an adapter"),
}  # fmt: skip


@pytest.mark.parametrize("fault", UNSOUND)
def test_an_unsound_base_is_refused_before_the_training(fault: str, tmp_path: Path) -> None:
    spoil, reason = UNSOUND[fault]
    spoil(write_base(tmp_path / "base", "BERT"))
    with pytest.raises(BadInput, match=reason) as caught:
        base = find_base_model(str(tmp_path / "base"), tmp_path / "cache")
        finetune(ROWS, base, Recipe(epochs=1), tmp_path / "model", LABELS)
    assert caught.value.part is Part.BASE_MODEL
    assert str(tmp_path / "base") in str(caught.value)
    assert not (tmp_path / "model").exists()


def test_a_base_whose_answer_depends_on_the_batch_is_refused(tmp_path: Path) -> None:
    """XLNet reads the last token of a row, which is padding where a tokenizer pads on the right."""
    base = find_base_model(str(write_base(tmp_path / "base", "XLNet", padding_side="right")), tmp_path / "cache")
    longer = Row("1", TEXTS[0] * 3, LABELS[0], Split.TRAIN, "seed", "1")
    with pytest.raises(BadInput, match="shares its batch"):
        finetune([*ROWS, longer], base, Recipe(epochs=1), tmp_path / "model", LABELS)


def test_what_a_configuration_says_of_another_task_does_not_matter(tmp_path: Path) -> None:
    folder = write_base(tmp_path / "base", "RoBERTa")
    configure(problem_type="multi_label_classification", num_labels=5, eos_token_id=50_256)(folder)
    made = finetune(ROWS, find_base_model(str(folder), tmp_path), Recipe(epochs=1), tmp_path / "model", LABELS)
    assert set(made.labels) == set(LABELS)


@pytest.mark.parametrize("other", ["pytorch_model.generator.bin", "optimizer.bin", "training_args.bin", "rng.bin"])
def test_only_the_weights_of_the_model_itself_are_taken(other: str, tmp_path: Path) -> None:
    folder = write_base(tmp_path / "base", "DeBERTa-v2")
    held = load_file(folder / "model.safetensors")
    torch.save(held, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    torch.save({name: value + 1 for name, value in held.items()}, folder / other)
    for beside in ("spm.model", "bpe.codes"):
        (folder / beside).write_bytes(b"a vocabulary")
    found = find_base_model(str(folder), tmp_path / "cache").folder
    assert all(torch.equal(value, held[name]) for name, value in load_file(found / "model.safetensors").items())
    assert (found / "spm.model").is_file() and (found / "bpe.codes").is_file()


def test_numbered_shards_are_one_model_and_a_missing_shard_is_named(tmp_path: Path) -> None:
    folder = write_base(tmp_path / "base", "BERT")
    held = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(held)
    for number, part in ((1, names[::2]), (2, names[1::2])):
        torch.save({name: held[name] for name in part}, folder / f"pytorch_model-{number:05d}-of-00002.bin")
    found = find_base_model(str(folder), tmp_path / "cache").folder
    assert load_file(found / "model.safetensors").keys() == held.keys()
    (folder / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(BadInput, match=r"lacks a part of its weights: pytorch_model-00002-of-00002\.bin"):
        find_base_model(str(folder), tmp_path / "cache")


def test_a_changed_tokenizer_beside_pickled_weights_is_taken_up(tmp_path: Path) -> None:
    folder = write_base(tmp_path / "base", "BERT")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    before = find_base_model(str(folder), tmp_path / "cache").folder
    shutil.copy(folder / "tokenizer.json", folder / "spm.model")
    after = find_base_model(str(folder), tmp_path / "cache").folder
    assert not (before / "spm.model").exists() and (after / "spm.model").is_file()


def test_a_missing_package_for_a_vocabulary_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_base(tmp_path / "base", "BERT")
    pieces_alone(folder)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)  # so an import fails, as where the package is absent
    with pytest.raises(BadInput, match=r"spm\.model needs the package sentencepiece"):
        load_tokenizer(folder, "base")
