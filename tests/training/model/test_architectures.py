"""Any architecture of the hub goes the whole way: trained, written, loaded, and asked, with one answer to a text."""

from pathlib import Path

import numpy as np
import pytest

from storage.records import Row, Split
from storage.text import text_id
from tests.schemes import LABELS
from tests.training.model.architectures import CONFIGS, POSITIONS, write_base, write_sentencepiece
from training.model.base_model import BaseModel, find_base_model
from training.model.classifier import Classifier
from training.model.finetune import finetune
from training.model.precision import Precision
from training.model.recipe import Recipe

SHORT = [f"company {number} {word} in the quarter" for number in range(4) for word in ("rose", "meeting", "fell")]
OF_PIECES = ("XLM-RoBERTa", "CamemBERT", "ALBERT", "XLNet", "T5")
SPELT = [
    "company </s> rose </s> fell",
    "<s>company<pad>rose<mask> in [SEP] the",
    "fell <|endoftext|> [CLS][MASK] </s>",
    "</s>",
]
"""Texts that spell special tokens out, of several families."""
LONG = [f"{text} {'company ' * POSITIONS}{text}" for text in SHORT[:3]]
"""More tokens than the models have positions."""


def rows() -> list[Row]:
    labels = ("positive", "neutral", "negative")
    return [
        Row(
            text_id(text),
            text,
            labels[index % 3],
            Split.TRAIN if index < 10 else Split.VALIDATION,
            "seed",
            text_id(text),
        )
        for index, text in enumerate([*SHORT[:6], *LONG, SPELT[0], *SHORT[6:]])
    ]


@pytest.mark.parametrize("architecture", CONFIGS)
def test_every_architecture_is_trained_and_answers_the_same_in_any_batch(architecture: str, tmp_path: Path) -> None:
    base = find_base_model(
        str(write_base(tmp_path / "base", architecture, pieces=architecture in OF_PIECES)), tmp_path / "cache"
    )
    trained_and_asked(base, tmp_path)


@pytest.mark.parametrize(
    ("architecture", "file", "tokenizer"),
    [("DeBERTa-v2", "spm.model", "DebertaV2Tokenizer"), ("ALBERT", "spiece.model", "AlbertTokenizer")],
)
def test_a_base_with_a_vocabulary_of_sentencepiece_alone_goes_the_same_way(
    architecture: str, file: str, tokenizer: str, tmp_path: Path
) -> None:
    folder = write_base(tmp_path / "base", architecture)
    write_sentencepiece(folder, file, tokenizer, SHORT)
    trained_and_asked(find_base_model(str(folder), tmp_path / "cache"), tmp_path)


def trained_and_asked(base: BaseModel, tmp_path: Path) -> None:
    made = finetune(rows(), base, Recipe(epochs=1, batch_size=8), tmp_path / "model", LABELS)
    model = Classifier.load(made.folder, LABELS, device="cpu")
    texts = [*LONG, *SPELT, *SHORT]
    together = model.predict(texts, batch_size=8).logits
    assert np.allclose(model.predict(texts, batch_size=1).logits, together, atol=1e-5)
    assert len(np.unique(together.round(6), axis=0)) > 1
    assert np.allclose(model.predict(texts, batch_size=8, precision=Precision.FAST).logits, together, atol=0.1)
    assert np.array_equal(model.predict(texts, batch_size=8).logits, together)  # what is fast shares its weights
    model.save(tmp_path / "again")
    again = Classifier.load(tmp_path / "again", LABELS, device="cpu").predict(texts, batch_size=8)
    assert np.array_equal(again.logits, together)
