"""The sample is no toy: rules of the grammar and of the files it writes; tests/loop/test_demo has a champion on it."""

import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Row, Split
from storage.scheme import find_scheme
from storage.text import text_id
from storage.texts.csv import read_texts
from tests.schemes import LABELS
from training.data.clusters import near_duplicates
from training.data.merge import MergePolicy, merge
from training.data.sample.grammar import Expansion, load_grammar
from training.data.sample.writer import SampleText, sample_posts, sample_sentences, write_sample
from training.data.seed import SeedData, read_seed

SCHEME = find_scheme("sentiment")
SAMPLE = Path(__file__).parents[3] / "training" / "data" / "sample"
HARD = {
    "negation": ("did not rise", "negative"),
    "negated fall": ("did not fall", "positive"),
    "hedging": ("it is (likely|probable) that", None),
    "figures that stay": ("(neither rose nor fell|showed no change|remained unchanged)", "neutral"),
    "mixed news": ("while profit at", "neutral"),
    "loss that narrows": ("narrowed to", "positive"),
    "profit that misses": ("analysts had expected clearly more", "negative"),
    "costs that fall": (
        "costs (fell|decreased|declined|shrank|went down|halved|dropped|came down)",
        "positive",
    ),
    "numbers without news": ("'s sales came to", "neutral"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("sample")
    write_sample(written)
    return written


@pytest.fixture(scope="module")
def bank(folder: Path) -> SeedData:
    return read_seed(folder, 50, SCHEME)


@pytest.fixture(scope="module")
def rows(bank: SeedData) -> tuple[Row, ...]:
    return merge(bank, [], [], {}, MergePolicy()).rows


@pytest.fixture(scope="module")
def posts() -> list[SampleText]:
    return sample_posts()


def test_files_are_read_by_the_ordinary_readers_without_a_problem(folder: Path, bank: SeedData) -> None:
    production = read_texts(folder / "texts.csv", SCHEME)
    assert (bank.bad_lines, production.problems) == ((), ())
    assert len(bank.rows) >= 600
    assert len(production.rows) >= 2000
    assert all(row.label is not None for row in production.rows)


def test_stricter_agreement_levels_are_parts_of_the_looser(folder: Path) -> None:
    levels = [{row.text for row in read_seed(folder, level, SCHEME).rows} for level in (50, 66, 75, 100)]
    assert levels[0] > levels[1] > levels[2] > levels[3]


def test_sample_is_the_same_in_every_process(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from training.data.sample.writer import write_sample as w; w(pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "again")]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run(command, check=True, cwd=SAMPLE.parents[1], env=environment)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


@pytest.mark.parametrize("made", [sample_sentences, sample_posts])
def test_at_most_two_per_cent_have_a_near_duplicate(made: Any) -> None:
    texts = [each.text for each in made()]
    assert len({text_id(text) for text in texts}) == len(texts)
    near = {position for pair in near_duplicates(texts) for position in pair}
    assert len(near) <= 0.02 * len(texts)


def test_sentences_are_half_neutral_and_posts_more_so(posts: list[SampleText]) -> None:
    sentences = _shares(sample_sentences())
    assert 0.5 <= sentences["neutral"] <= 0.62
    assert min(sentences.values()) >= 0.15
    production = _shares(posts)
    assert 0.55 <= production["neutral"] <= 0.65
    assert min(production.values()) >= 0.17


def test_no_template_stands_in_two_splits(rows: tuple[Row, ...]) -> None:
    template = {text_id(each.text): each.template for each in sample_sentences()}
    splits: dict[str, set[Split]] = {}
    for row in rows:
        splits.setdefault(template[row.text_id], set()).add(row.split)
    assert len(splits) >= 100
    assert all(len(each) == 1 for each in splits.values())


def test_test_split_has_enough_of_every_label(rows: tuple[Row, ...]) -> None:
    assert len(rows) == len(sample_sentences())
    test = Counter(row.label for row in rows if row.split is Split.TEST)
    assert 0.10 <= test.total() / len(rows) <= 0.20
    assert min(test[label] for label in LABELS) >= 50


@pytest.mark.parametrize("case", HARD)
def test_sentences_have_the_hard_case(case: str) -> None:
    words, label = HARD[case]
    labels = {each.label for each in sample_sentences() if re.search(words, each.text.lower().replace(" 's", "'s"))}
    assert label in labels if label else labels == set(LABELS)


def test_same_words_stand_in_good_and_in_bad_news(posts: list[SampleText]) -> None:
    for word in ("printing", "bleeding", "ripping", "cooked", "drying up"):
        labels = Counter(each.label for each in posts if word in each.text)
        assert min(labels[label] for label in LABELS) >= 3, word


def test_posts_use_words_that_the_sentences_do_not(posts: list[SampleText]) -> None:
    sentences = " ".join(each.text.lower() for each in sample_sentences())
    slang = ("pt cut", "ripping", "bagholder", "printing", "rug", "diamond hands", "bleeding", "beat & raise")
    assert [word for word in slang if f" {word}" in sentences] == []
    together = " ".join(each.text.lower() for each in posts)
    assert [word for word in slang if word not in together] == []


@given(st.integers(0, 10_000), st.sampled_from((1, -1)))
def test_signed_template_says_the_sign_it_is_asked_for(seed: int, sign: int) -> None:
    rules = {"good+": ["p"], "good-": ["n"], "both": ["{good?}{good?}"]}
    text = Expansion(rules, random.Random(seed)).expand("{good?}{good?}{both?}{both-}", sign)
    assert (-1) ** text.count("n") == -sign


def test_numbered_slot_stays_the_same_and_differs_from_its_sister() -> None:
    rules = {"firm": ["Aa", "Bb"]}
    for seed in range(20):
        text = Expansion(rules, random.Random(seed)).expand("{firm1} {firm2} {firm1}")
        assert text in ("Aa Bb Aa", "Bb Aa Bb")


@pytest.mark.parametrize("style", ["sentences", "posts"])
def test_every_slot_and_choice_is_filled(style: str) -> None:
    grammar = load_grammar(SAMPLE / "vocabulary.toml", SAMPLE / f"{style}.toml")
    for section, templates in grammar.templates.items():
        for template in templates:
            for seed in range(5):
                text = Expansion(grammar.rules, random.Random(seed)).expand(template, 1 if seed % 2 else -1)
                assert not set("{}[]|") & set(text), (section, text)


def test_bag_of_words_stays_below_point_nine(rows: tuple[Row, ...], posts: list[SampleText]) -> None:
    train = [row for row in rows if row.split is Split.TRAIN]
    test = [row for row in rows if row.split is Split.TEST]
    on_sentences = _bag_of_words(
        [row.text for row in train],
        [row.label for row in train],
        [row.text for row in test],
        [row.label for row in test],
    )
    half = len(posts) // 2
    texts, labels = [each.text for each in posts], [each.label for each in posts]
    on_posts = _bag_of_words(texts[:half], labels[:half], texts[half:], labels[half:])
    assert on_sentences < 0.9
    assert on_posts < 0.9


def _shares(texts: list[SampleText]) -> dict[str, float]:
    counts = Counter(each.label for each in texts)
    return {label: counts[label] / len(texts) for label in LABELS}


def _bag_of_words(texts: list[str], labels: list[str], others: list[str], truth: list[str]) -> float:
    """Macro-F1 of TF-IDF of words and word pairs with logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    regression = LogisticRegression(C=10, solver="liblinear", class_weight="balanced")
    model = make_pipeline(features, OneVsRestClassifier(regression))
    model.fit(texts, np.array([str(label) for label in labels]))
    return float(f1_score([str(label) for label in truth], model.predict(others), average="macro"))
