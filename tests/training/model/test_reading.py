"""What a model reads of a text: all of a short one, and both ends of a long one; every cut is reported."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast

from tests.fixtures_models import write_tiny_model
from tests.schemes import LABELS
from tests.training.model.architectures import POSITIONS, write_base, write_tokenizer
from training.model.classifier import Classifier, Predicted
from training.model.reading import FIELD, Reading, encode, tokens_read

WORDS = ["company", "rose", "fell", "meeting"]


@pytest.fixture(scope="module")
def tokenizer(tiny_base_folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_base_folder)


@pytest.fixture(scope="module")
def spelling(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Any]:
    """Tokenizers of words (False) and of pieces (True)."""
    found = {}
    for pieces in (False, True):
        folder = tmp_path_factory.mktemp("tokenizer")
        write_tokenizer(folder, pieces=pieces)
        found[pieces] = PreTrainedTokenizerFast.from_pretrained(folder)
    return found


@given(words=st.lists(st.sampled_from(WORDS), max_size=40), limit=st.integers(4, 30), reading=st.sampled_from(Reading))
def test_only_a_text_beyond_the_limit_is_cut_and_both_its_ends_stay(
    tokenizer: Any, words: list[str], limit: int, reading: Reading
) -> None:
    whole = tokenizer(" ".join(words))
    read = encode(tokenizer, ["rose", " ".join(words)], limit, reading)
    (_, ids), (short, truncated) = read.columns["input_ids"], read.truncated
    assert truncated is (len(whole["input_ids"]) > limit) and short is False
    assert len(ids) == min(limit, len(whole["input_ids"])) == len(read.columns["attention_mask"][1])
    assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    if not truncated:
        assert {name: rows[1] for name, rows in read.columns.items()} == dict(whole)
    elif reading is Reading.HEAD:
        assert dict(tokenizer(" ".join(words), truncation=True, max_length=limit)) == {
            name: rows[1] for name, rows in read.columns.items()
        }
    else:
        assert ids[-(limit // 2) :] == whole["input_ids"][-(limit // 2) :]
        assert ids[: limit - limit // 2] == whole["input_ids"][: limit - limit // 2]


@pytest.mark.parametrize("pieces", [False, True])
@pytest.mark.parametrize("reading", Reading)
@given(words=st.lists(st.sampled_from([*WORDS, "<s>", "</s>", "<pad>", "fell</s>", "[SEP]"]), max_size=20))
def test_no_text_holds_a_special_token_but_those_around_it(
    spelling: dict[bool, Any], pieces: bool, reading: Reading, words: list[str]
) -> None:
    tokenizer = spelling[pieces]
    ids = encode(tokenizer, [" ".join(words)], 12, reading).columns["input_ids"][0]
    assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert not {*ids[1:-1]} & {tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}


@pytest.mark.parametrize("architecture", ["BERT", "RoBERTa", "MPNet", "BART", "GPT-2"])
def test_as_many_tokens_are_read_as_the_model_has_positions(architecture: str, tmp_path: Path) -> None:
    """RoBERTa and MPNet declare two positions more than they can use."""
    assert tokens_read(AutoModel.from_pretrained(write_base(tmp_path / "base", architecture))) == POSITIONS


@pytest.mark.parametrize("architecture", ["XLNet", "T5"])
def test_a_model_without_positions_reads_what_finloop_allows(architecture: str, tmp_path: Path) -> None:
    assert tokens_read(AutoModel.from_pretrained(write_base(tmp_path / "base", architecture))) == 128


def test_a_model_reads_as_it_was_trained_and_an_older_one_reads_heads(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "model")
    long = "profit rose " * 200
    texts = [long + "fell", long + "meeting", "profit rose"]
    heads = Classifier.load(folder, LABELS, device="cpu").predict(texts)
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(config.replace("{", f'{{"{FIELD}": "{Reading.HEAD_AND_TAIL}",', 1))
    ends = Classifier.load(folder, LABELS, device="cpu").predict(texts)
    assert heads.truncated.tolist() == ends.truncated.tolist() == [True, True, False]
    assert np.allclose(heads.logits[0], heads.logits[1], atol=1e-6)  # rows of one batch may be rounded otherwise
    assert not np.allclose(ends.logits[0], ends.logits[1], atol=1e-4)
    assert np.allclose(heads.logits[2], ends.logits[2], atol=1e-6)


@pytest.mark.parametrize("link", ["https://t.co/9xKq", "HTTP://example.org/a?b=c", "www.example.org/fell"])
def test_the_letters_of_a_link_change_nothing_where_links_are_a_word(tokenizer: Any, link: str) -> None:
    texts = [f"profit rose {link} fell", "profit rose http fell"]
    word, read = (encode(tokenizer, texts, 128, reading) for reading in (Reading.LINKS_AS_WORD, Reading.HEAD_AND_TAIL))
    assert word.columns["input_ids"][0] == word.columns["input_ids"][1]
    assert read.columns["input_ids"][0] != read.columns["input_ids"][1]


def test_predictions_in_pieces_are_the_predictions_as_one(tmp_path: Path) -> None:
    model = Classifier.load(write_tiny_model(tmp_path / "model"), LABELS, device="cpu")
    whole = model.predict(["profit rose", "loss " * 300, "meeting"])
    joined = Predicted.joined([whole.rows(0, 1), whole.rows(1, 3)])
    for name in ("logits", "probabilities", "truncated"):
        assert (getattr(joined, name) == getattr(whole, name)).all()
