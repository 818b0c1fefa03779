"""Writes the sample of a label scheme, so that the whole loop runs before a user has any data.

A sample has seed data and production texts, in files like a user's. It must not be too easy: templates of seed
sentences are unlike those of posts, sentences of one template stay in one split (a file of clusters), and no two texts
are near-duplicates. A scheme has a sample where a folder here has the scheme's name. Label names stand in that folder,
never in this code.
"""

import csv
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.errors import BadInput
from storage.scheme import Scheme
from storage.text import text_id
from training.data.clusters import THRESHOLD, grams
from training.data.phrasebank import AGREEMENTS, GROUPS_FILE
from training.data.sample.grammar import Expansion, Grammar, load_grammar
from training.data.seed import CSV_GROUPS

SEED_FILE = "seed.csv"
TEXTS_FILE = "texts.csv"
_HERE = Path(__file__).parent
_TRIES = 200
_SHARE_OF_AGREEMENT = {50: 1.0, 66: 0.87, 75: 0.71, 100: 0.47}
"""How much of the real PhraseBank is in each agreement level; here that share of the rows is drawn at random."""


@dataclass(frozen=True, slots=True)
class SampleText:
    """A text, its label, and the template that it was made from."""

    text: str
    label: str
    template: str


def sample_sentences(scheme: Scheme) -> list[SampleText]:
    """The seed sentences; those for PhraseBank files have its spelling, with spaces before punctuation."""
    grammar = _grammar(scheme, "sentences")
    return _texts(grammar, _spelled_as_phrasebank if grammar.files == "phrasebank" else _capitalised)


def sample_posts(scheme: Scheme) -> list[SampleText]:
    """The production texts, in the style of traders' posts."""
    return _texts(_grammar(scheme, "posts"), _spelled)


def sample_seed(folder: Path, scheme: Scheme) -> Path:
    """Where the seed data of a sample in `folder` lie: the folder itself (PhraseBank files) or a labelled CSV."""
    return folder if _grammar(scheme, "sentences").files == "phrasebank" else folder / SEED_FILE


def write_sample(folder: Path, scheme: Scheme) -> None:
    """Write the seed data, the clusters (each sentence's template) and texts.csv; the same bytes every time.

    The seed data are Sentences_*Agree.txt or seed.csv, as the sample's grammar says. Raises BadInput where the scheme
    has no sample.
    """
    grammar = _grammar(scheme, "sentences")
    sentences = sample_sentences(scheme)
    folder.mkdir(parents=True, exist_ok=True)
    if grammar.files == "phrasebank":
        groups = folder / GROUPS_FILE
        _write_phrasebank(folder, sentences, random.Random(grammar.seed))
    else:
        groups = (folder / SEED_FILE).with_suffix(CSV_GROUPS)
        _write_csv(folder / SEED_FILE, ("text", "label"), [(row.text, row.label) for row in sentences])
    _write_csv(groups, ("text_id", "cluster"), [(text_id(row.text), row.template) for row in sentences])
    _write_csv(folder / TEXTS_FILE, ("text", "label"), [(row.text, row.label) for row in sample_posts(scheme)])


def _grammar(scheme: Scheme, style: str) -> Grammar:
    place = _HERE / scheme.name
    if (place / f"{style}.toml").is_file():
        grammar = load_grammar(place / "vocabulary.toml", place / f"{style}.toml")
        if grammar.labels == set(scheme.names):
            return grammar
    labels = ", ".join(scheme.names)
    raise BadInput(
        f"there is no sample for the label scheme {scheme.name} ({labels}): give a labelled CSV as seed data"
    )


def _write_phrasebank(folder: Path, sentences: Sequence[SampleText], draw: random.Random) -> None:
    agreed = [draw.random() for _ in sentences]
    for level, name in AGREEMENTS.items():
        rows = [row for row, each in zip(sentences, agreed, strict=True) if each < _SHARE_OF_AGREEMENT[level]]
        lines = "".join(f"{row.text}@{row.label}\n" for row in rows)
        (folder / f"Sentences_{name}Agree.txt").write_bytes(lines.encode("latin-1"))


def _write_csv(path: Path, header: tuple[str, str], rows: Sequence[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _texts(grammar: Grammar, spelled: Callable[[str], str]) -> list[SampleText]:
    draw = random.Random(grammar.seed)
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
    """`count` texts of one template with their labels, no two near-duplicates; texts of two templates never are."""
    accepted: list[set[str]] = []
    for _ in range(count * _TRIES):
        sign = draw.choice((1, -1))
        text = Expansion(grammar.rules, draw).expand(template, sign)
        if any(_alike(grams(text), other) for other in accepted):
            continue
        accepted.append(grams(text))
        yield text, grammar.label(section, sign)
        if len(accepted) == count:
            return
    raise AssertionError(f"the template gives too few texts that differ: {template}")


def _alike(one: set[str], other: set[str]) -> bool:
    shared = len(one & other)
    return shared >= THRESHOLD * (len(one) + len(other) - shared)


def _spelled(text: str) -> str:
    return " ".join(text.split())


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _spelled_as_phrasebank(text: str) -> str:
    return _capitalised(re.sub(r"([,.;:])(\s|$)", r" \1\2", text).replace("'s ", " 's "))
