"""Measures how a model should read a text that is longer than its tokens: its head, both its ends, or windows of it.

    python -m benchmarks.long_texts --phrasebank ~/FinancialPhraseBank-v1.0 --seeds 2 --json long_texts.json

The long texts are made of real sentences: one sentence decides, and sentences of the commonest label, which say little,
stand around it. The decisive sentence comes first, in the middle or last. Training rows are
short sentences and some long texts of other sentences, and the model reads them as it reads the test texts. The peers
are the first 128 tokens, 64 tokens of each end, and the mean probabilities of all windows of 128 tokens.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from storage.records import Row, Split
from storage.scheme import find_scheme
from storage.text import text_id
from training.data.seed import read_seed
from training.judge.metrics import score
from training.model.base_model import find_base_model
from training.model.classifier import Classifier, Probabilities
from training.model.finetune import finetune
from training.model.reading import MAX_TOKENS, Reading
from training.model.recipe import Recipe

PLACES = ("first", "middle", "last")
AROUND = 9
"""Sentences around the decisive one: such a text has some 300 tokens."""
Sentences = dict[str, list[str]]
"""label -> sentences, shuffled; each part of the measurement takes its own."""
Way = Callable[[Sequence[str]], Probabilities]


def long_text(decisive: str | None, fillers: Sequence[str], place: str) -> str:
    """The fillers with the decisive sentence at a place; without a decisive one, the fillers."""
    at = {"first": 0, "middle": len(fillers) // 2, "last": len(fillers)}[place]
    return " ".join([*fillers[:at], *([decisive] if decisive else []), *fillers[at:]])


def commonest(sentences: Sentences) -> str:
    """The label with the most sentences."""
    return max(sentences, key=lambda label: len(sentences[label]))


def test_texts(sentences: Sentences, each: int, draw: random.Random) -> dict[str, list[tuple[str, str]]]:
    """place -> (text, label): `each` texts of every label; the same sentences at every place."""
    filler = commonest(sentences)
    chosen: list[tuple[str, str | None]] = [(filler, None)] * each
    for label in sentences:
        if label != filler:
            chosen += [(label, sentence) for sentence in sentences[label][:each]]
    around = [draw.sample(sentences[filler], AROUND) for _ in chosen]
    return {
        place: [(long_text(one, some, place), label) for (label, one), some in zip(chosen, around, strict=True)]
        for place in PLACES
    }


def training_rows(sentences: Sentences, short: int, long: int, draw: random.Random) -> list[Row]:
    """Short sentences and long texts of each label, a fifth of them for validation."""
    short_each, long_each = short // len(sentences), long // len(sentences)
    texts = [(text, label) for label, some in sentences.items() for text in some[:short_each]]
    for label, some in sentences.items():
        for sentence in some[short_each : short_each + long_each]:
            around = draw.sample(sentences[commonest(sentences)], AROUND)
            texts.append((long_text(sentence, around, draw.choice(PLACES)), label))
    rows = []
    for number, (text, label) in enumerate(dict(texts).items()):
        split = Split.VALIDATION if number % 5 == 0 else Split.TRAIN
        rows.append(Row(text_id(text), text, label, split, "phrasebank", text_id(text)))
    return rows


def windows(tokenizer: Any, text: str) -> list[str]:
    """The text in pieces of MAX_TOKENS tokens at most, with the two that a model adds."""
    spans = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)["offset_mapping"]
    pieces = [spans[start : start + MAX_TOKENS - 2] for start in range(0, len(spans), MAX_TOKENS - 2)]
    return [text[piece[0][0] : piece[-1][1]] for piece in pieces]


def by_model(model: Classifier, texts: Sequence[str]) -> Probabilities:
    """Probabilities by the model's own reading, (texts, labels)."""
    return model.predict(texts).probabilities


def by_windows(model: Classifier, tokenizer: Any, texts: Sequence[str]) -> Probabilities:
    """Mean probabilities over the windows of each text, (texts, labels)."""
    pieces = [windows(tokenizer, text) for text in texts]
    found = model.predict([piece for one in pieces for piece in one]).probabilities
    ends = np.cumsum([len(one) for one in pieces])[:-1]
    means: Probabilities = np.stack([part.mean(axis=0) for part in np.split(found, ends)])
    return means


def measure(sentences: Sentences, seed: int, sizes: argparse.Namespace, labels: Sequence[str]) -> dict[str, Any]:
    """reading -> macro-F1 at each place, seconds of training, texts a second."""
    from transformers import AutoTokenizer

    base = find_base_model(sizes.base, Path(tempfile.gettempdir()))
    draw = random.Random(seed)
    for some in sentences.values():
        draw.shuffle(some)
    held = {label: some[: len(some) // 4] for label, some in sentences.items()}
    taught = {label: some[len(some) // 4 :] for label, some in sentences.items()}
    rows, tests = training_rows(taught, sizes.short, sizes.long, draw), test_texts(held, sizes.each, draw)
    found: dict[str, Any] = {}
    for reading in (Reading.HEAD, Reading.HEAD_AND_TAIL):
        with tempfile.TemporaryDirectory() as folder:
            recipe = Recipe(seed=seed, epochs=sizes.epochs)
            made = finetune(rows, base, recipe, Path(folder) / "model", labels, reading=reading)
            model = Classifier.load(made.folder, labels)
            ways: dict[str, Way] = {str(reading): partial(by_model, model)}
            if reading is Reading.HEAD:
                tokenizer = AutoTokenizer.from_pretrained(made.folder)
                ways["mean of windows"] = partial(by_windows, model, tokenizer)
            for name, way in ways.items():
                found[name] = {"training seconds": made.seconds, **_scores(way, tests, labels)}
    return found


def _scores(way: Way, tests: dict[str, list[tuple[str, str]]], labels: Sequence[str]) -> dict[str, float]:
    began, scores = time.perf_counter(), {}
    for place, examples in tests.items():
        said = [labels[index] for index in way([text for text, _ in examples]).argmax(axis=1)]
        scores[place] = score([label for _, label in examples], said, labels).macro_f1
    count = sum(len(examples) for examples in tests.values())
    return {**scores, "texts a second": count / (time.perf_counter() - began)}


def show(report: dict[str, Any], console: Console) -> None:
    """A line for each reading: the mean over seeds, with the lowest and the highest."""
    title = f"macro-F1 by the place of the decisive sentence, {len(report['seeds'])} seeds, n = {report['n']} a place"
    table = Table(title=title, title_justify="left")
    columns = (*PLACES, "texts a second", "training seconds")
    for column in ("reading", *columns):
        table.add_column(column)
    for name in report["seeds"][0]:
        cells = []
        for column in columns:
            values = [seed[name][column] for seed in report["seeds"]]
            form = ".3f" if column in PLACES else ".1f"
            cells.append(f"{statistics.mean(values):{form}} [{min(values):{form}} to {max(values):{form}}]")
        table.add_row(name, *cells)
    console.print(table)


def main() -> None:
    """Measure on PhraseBank sentences on which most annotators agree."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_texts", description=__doc__)
    parser.add_argument("--phrasebank", type=Path, required=True, help="the folder with Sentences_*Agree.txt")
    parser.add_argument("--base", default="minilm", help="the base model")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--short", type=int, default=600, help="short training rows")
    parser.add_argument("--long", type=int, default=90, help="long training rows")
    parser.add_argument("--each", type=int, default=24, help="test texts of each label at each place")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch")
    parser.add_argument("--json", type=Path, help="also write the numbers to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    scheme = find_scheme("sentiment")
    rows = read_seed(arguments.phrasebank, 75, scheme).rows
    found = []
    for seed in range(arguments.seeds):
        sentences = {label: [row.text for row in rows if row.label == label] for label in scheme.names}
        found.append(measure(sentences, seed, arguments, scheme.names))
    report = {"n": 3 * arguments.each, "seeds": found}
    show(report, Console())
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
