"""Tiny BERTs with a real tokenizer: they load, train in about two seconds and answer, but know nothing of finance.

`tiny_base` is an untrained base model, `tiny_model` a classifier folder with finloop's label names. `calm_model` is one
whose predictions bf16 hardly changes, as is so with a trained model; those of `tiny_model` it changes too much.
"""

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.schemes import LABELS
from training.model.base_model import BaseModel

WORDS = """
[PAD] [UNK] [CLS] [SEP] [MASK] . , % $ - ' the a of to and in its it company profit sales loss revenue forecast shares
quarter year rose fell grew dropped raised cut will said from million euros net operating sharply strong weak record
warned missed beat order contract new plant meeting held annual results up down higher lower no not but while
"""


def write_tiny_base(folder: Path) -> Path:
    """A 2-layer BERT of 32 dimensions without a classification head, as a hub base model is; seeded."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(7)
    folder.mkdir(parents=True, exist_ok=True)
    letters = [mark + chr(code) for code in range(ord("a"), ord("z") + 1) for mark in ("", "##")]
    digits = [mark + str(digit) for digit in range(10) for mark in ("", "##")]
    vocabulary = {word: index for index, word in enumerate(dict.fromkeys([*WORDS.split(), *letters, *digits]))}
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.3,  # a wide start: it learns a word in a few steps
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(vocab=vocabulary, do_lower_case=True).save_pretrained(folder)
    return folder


def write_tiny_model(folder: Path, names: Sequence[str] = LABELS) -> Path:
    """The tiny base with a seeded, untrained head whose labels are `names`, in that order."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = write_tiny_base(folder.parent / f"{folder.name}-base")
    torch.manual_seed(11)
    model = AutoModelForSequenceClassification.from_pretrained(
        base,
        num_labels=len(names),
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )
    torch.nn.init.normal_(model.classifier.weight, std=1.0)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["id2label"]["0"] == names[0]
    return folder


@pytest.fixture(scope="session")
def tiny_base_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="session")
def calm_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with its layers replaced by the mean of a text's words: few steps, so few rounding errors."""
    import torch
    from transformers import AutoModelForSequenceClassification

    folder = tmp_path_factory.mktemp("tiny") / "calm"
    shutil.copytree(tiny_model, folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            for weights in layer.parameters():
                if weights.dim() == 2:
                    weights.zero_()
        first = model.bert.encoder.layer[0].attention
        first.self.value.weight.copy_(30 * torch.eye(model.config.hidden_size))
        first.output.dense.weight.copy_(torch.eye(model.config.hidden_size))
        model.bert.pooler.dense.weight.mul_(0.1)
    model.save_pretrained(folder)
    return folder


def varied_texts(count: int) -> list[str]:
    """Different texts of three to six words that the tiny models know."""
    draw = random.Random(0)
    words = [word for word in WORDS.split() if len(word) > 2 and word.isalpha()]
    texts: dict[str, None] = {}
    while len(texts) < count:
        texts[" ".join(draw.choices(words, k=draw.randint(3, 6)))] = None
    return list(texts)


@pytest.fixture(scope="session")
def tiny_base(tiny_base_folder: Path) -> BaseModel:
    return BaseModel("tiny", tiny_base_folder, exposed=False)
