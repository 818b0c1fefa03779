"""The sample: PhraseBank-style sentences and traders' posts from the grammar, written as the files that users bring.

It lets the whole loop run with no data at hand, so it must not be a toy: templates of one kind are unlike those of the
other, sentences of one template stay together in one split (clusters.csv), and no two texts are near-duplicates.
"""

import csv
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.text import text_id
from training.data.clusters import THRESHOLD, grams
from training.data.phrasebank import AGREEMENTS, GROUPS_FILE
from training.data.sample.grammar import Expansion, Grammar, load_grammar

TEXTS_FILE = "texts.csv"
_HERE = Path(__file__).parent
_SEED = 20240602
"""The first of this month that puts fifty sentences of every label among the test rows: splits go by template, and
templates differ so much in rows that other seeds leave twenty."""
_TRIES = 200
_SIGNS = {1: "positive", -1: "negative"}
_SHARE_OF_AGREEMENT = {50: 1.0, 66: 0.87, 75: 0.71, 100: 0.47}
"""How much of the real PhraseBank is in each level; here the share of rows, drawn at random."""


@dataclass(frozen=True, slots=True)
class SampleText:
    """A text, its label, and the template that it was made from."""

    text: str
    label: str
    template: str


def sample_sentences() -> list[SampleText]:
    """The sentences on company news, in the PhraseBank's spelling: punctuation stands apart."""
    return _texts(load_grammar(_HERE / "vocabulary.toml", _HERE / "sentences.toml"), _spelled_as_phrasebank)


def sample_posts() -> list[SampleText]:
    """The production texts, in the style of traders' posts."""
    return _texts(load_grammar(_HERE / "vocabulary.toml", _HERE / "posts.toml"), lambda text: " ".join(text.split()))


def write_sample(folder: Path) -> None:
    """Write Sentences_*Agree.txt, clusters.csv (each sentence's template) and texts.csv; the same bytes every time."""
    folder.mkdir(parents=True, exist_ok=True)
    sentences = sample_sentences()
    draw = random.Random(_SEED)
    agreed = [draw.random() for _ in sentences]
    for level, name in AGREEMENTS.items():
        rows = [row for row, each in zip(sentences, agreed, strict=True) if each < _SHARE_OF_AGREEMENT[level]]
        lines = "".join(f"{row.text}@{row.label}\n" for row in rows)
        (folder / f"Sentences_{name}Agree.txt").write_bytes(lines.encode("latin-1"))
    _write_csv(folder / GROUPS_FILE, ("text_id", "cluster"), [(text_id(row.text), row.template) for row in sentences])
    _write_csv(folder / TEXTS_FILE, ("text", "label"), [(row.text, row.label) for row in sample_posts()])


def _write_csv(path: Path, header: tuple[str, str], rows: Sequence[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _texts(grammar: Grammar, spelled: Callable[[str], str]) -> list[SampleText]:
    draw = random.Random(_SEED)
    texts: list[SampleText] = []
    for section, rows in grammar.rows.items():
        templates = grammar.templates[section]
        for position, template in enumerate(templates):
            count = rows // len(templates) + (position < rows % len(templates))
            made = _made(grammar, section, template, count, draw)
            texts += [SampleText(spelled(text), label, f"{section}-{position:03d}") for text, label in made]
    draw.shuffle(texts)
    return texts


def _made(grammar: Grammar, section: str, template: str, count: int, draw: random.Random) -> Iterator[tuple[str, str]]:
    """`count` texts of one template, none a near-duplicate of another; texts of unlike templates are unlike anyway."""
    accepted: list[set[str]] = []
    for _ in range(count * _TRIES):
        sign = draw.choice((1, -1))
        text = Expansion(grammar.rules, draw).expand(template, sign)
        if any(_alike(grams(text), other) for other in accepted):
            continue
        accepted.append(grams(text))
        yield text, _SIGNS[sign] if section == "signed" else section.partition("-")[0]
        if len(accepted) == count:
            return
    raise AssertionError(f"the template gives too few texts that differ: {template}")


def _alike(one: set[str], other: set[str]) -> bool:
    shared = len(one & other)
    return shared >= THRESHOLD * (len(one) + len(other) - shared)


def _spelled_as_phrasebank(text: str) -> str:
    text = re.sub(r"([,.;:])(\s|$)", r" \1\2", text).replace("'s ", " 's ")
    return text[0].upper() + text[1:]
