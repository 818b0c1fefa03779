"""Tiny random base models of many architectures, each with a tokenizer of a few words, made from configurations."""

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sentencepiece
import torch
import transformers as t
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = [*["company", "rose", "fell", "meeting", "in", "the", "quarter"], *map(str, range(10))]
POSITIONS = 24
_SIZE = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
         "intermediate_size": 32}  # fmt: skip
_T5 = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
_BART = {"vocab_size": 40, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
         "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}  # fmt: skip
_BERT_IDS = {"pad_token_id": 0, "bos_token_id": 2, "cls_token_id": 2, "sep_token_id": 3, "eos_token_id": 3}
_ROBERTA_IDS = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}


def _bert_like(config: Any, **more: Any) -> Any:
    return config(**_SIZE, **{"max_position_embeddings": POSITIONS, "pad_token_id": 0, **more})


def _roberta_like(config: Any) -> Any:
    return config(**_SIZE, **_ROBERTA_IDS, max_position_embeddings=POSITIONS + 2)


CONFIGS = {
    "BERT": lambda: _bert_like(t.BertConfig),
    "DistilBERT": lambda: t.DistilBertConfig(
        vocab_size=40, dim=16, n_layers=1, n_heads=2, hidden_dim=32, max_position_embeddings=POSITIONS
    ),
    "RoBERTa": lambda: _roberta_like(t.RobertaConfig),
    "XLM-RoBERTa": lambda: _roberta_like(t.XLMRobertaConfig),
    "CamemBERT": lambda: _roberta_like(t.CamembertConfig),
    "MPNet": lambda: _roberta_like(t.MPNetConfig),
    "DeBERTa-v2": lambda: _bert_like(
        t.DebertaV2Config, relative_attention=True, pos_att_type=["c2p", "p2c"], position_biased_input=False
    ),
    "ELECTRA": lambda: _bert_like(t.ElectraConfig, embedding_size=16),
    "ALBERT": lambda: _bert_like(t.AlbertConfig, embedding_size=16),
    "ModernBERT": lambda: _bert_like(t.ModernBertConfig, **_BERT_IDS, global_attn_every_n_layers=1),
    "XLNet": lambda: t.XLNetConfig(vocab_size=40, d_model=16, n_layer=1, n_head=2, d_inner=32, pad_token_id=0),
    "T5": lambda: t.T5Config(**_T5, pad_token_id=0, eos_token_id=3, decoder_start_token_id=0),
    "BART": lambda: t.BartConfig(**_BART, **_ROBERTA_IDS, decoder_start_token_id=2, max_position_embeddings=POSITIONS),
    "GPT-2": lambda: t.GPT2Config(vocab_size=40, n_embd=16, n_layer=1, n_head=2, n_positions=POSITIONS),
}


def write_base(folder: Path, architecture: str, **tokenizer: Any) -> Path:
    """A base model without a head, as a hub model is. `tokenizer` goes to the tokenizer's class."""
    torch.manual_seed(3)
    config = CONFIGS[architecture]()
    t.AutoModel.from_config(config).save_pretrained(folder)
    padding = {"XLNet": "left"}.get(architecture, "right")
    write_tokenizer(folder, pad=config.pad_token_id or 0, **{"padding_side": padding, **tokenizer})
    return folder


def write_tokenizer(folder: Path, pad: int = 0, words: list[str] = WORDS, pieces: bool = False, **more: Any) -> None:
    """A tokenizer of whole words with the special tokens of BERT's order (padding is 0) or of RoBERTa's (1).

    With `pieces`, the words are pieces as T5's and XLM-RoBERTa's are: the special tokens are pieces, too.
    """
    special = ["<s>", "<pad>", "</s>", "<unk>"] if pad else ["<pad>", "<unk>", "<s>", "</s>"]
    numbers = {word: number for number, word in enumerate([*special, *words])}
    made = Tokenizer(models.WordLevel(numbers, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if pieces:
        made = Tokenizer(models.Unigram([(token, 0.0) for token in numbers], unk_id=numbers["<unk>"]))
        made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[(token, numbers[token]) for token in ("<s>", "</s>")]
    )
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>",
             "bos_token": "<s>", "eos_token": "</s>"}  # fmt: skip
    t.PreTrainedTokenizerFast(tokenizer_object=made, **{**names, **more}).save_pretrained(folder)


def write_sentencepiece(folder: Path, file: str, tokenizer: str, texts: Iterable[str]) -> None:
    """Puts a vocabulary of sentencepiece, learnt from `texts`, in the place of the tokenizer in `folder`."""
    learnt = io.BytesIO()
    special = {"pad": "[PAD]", "bos": "[CLS]", "eos": "[SEP]", "unk": "[UNK]"}
    if tokenizer != "DebertaV2Tokenizer":
        special = {"pad": "<pad>", "unk": "<unk>", "bos": "[CLS]", "eos": "[SEP]"}
    options: dict[str, Any] = {f"{name}_id": number for number, name in enumerate(special)}
    options |= {f"{name}_piece": piece for name, piece in special.items()}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=learnt, vocab_size=36, hard_vocab_limit=False, minloglevel=2,
        **options,
    )  # fmt: skip
    (folder / "tokenizer.json").unlink()
    (folder / file).write_bytes(learnt.getvalue())
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer}))
