"""The sample is no toy: rules of the grammar and of the files it writes; tests/loop/test_demo has a champion on it."""

import hashlib
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import BadInput
from storage.records import Row, Split
from storage.scheme import Scheme, find_scheme
from storage.text import text_id
from storage.texts.csv import read_texts
from tests.schemes import LABELS, SENTIMENT, scheme_of
from training.data.clusters import near_duplicates
from training.data.merge import MergePolicy, merge
from training.data.sample.grammar import Expansion, load_grammar
from training.data.sample.writer import SampleText, sample_posts, sample_seed, sample_sentences, write_sample
from training.data.seed import SeedData, read_seed

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


WRITTEN_BEFORE_SCHEMES = {
    "Sentences_50Agree.txt": "82b95c7dafc87c4daa06540db92fc3c472d3a6af62ab87127063c73f0ab9aa7b",
    "Sentences_66Agree.txt": "0cc85cdb45605ac656043c6464756b8a79ce1b92d95b83df7d2dfde428e893d2",
    "Sentences_75Agree.txt": "d7ffd261fd4405f3097d63ef71f877ca16bea6d111a3d8c86c07e4d9b4a95682",
    "Sentences_AllAgree.txt": "ac10964c472001104488a2b606af2665e58940cea67bdd784f4873d38691259d",
    "clusters.csv": "9a5c4857d5556c346dea9d17e8bbd49f3cffacc6cd14b0d2cf9d36d4af0c248c",
    "texts.csv": "4d8337dbbf1bd4b49e58f1fd9d4bb11494ee5b45d64beccfa2fbe863db60b3ea",
}
"""The SHA-256 of every file of the sentiment sample: homes that hold the sample keep their dataset's name."""
CUES_ON_BOTH_SIDES = (
    "said to", "source", "may", "report", "talks", "said", "announc", "statement", "confirm", "company", "comment",
)  # fmt: skip
RUMOUR = find_scheme("rumour")
both_schemes = pytest.mark.parametrize("scheme", [SENTIMENT, RUMOUR], ids=["sentiment", "rumour"])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    written = {scheme.name: tmp_path_factory.mktemp(scheme.name) for scheme in (SENTIMENT, RUMOUR)}
    for name, folder in written.items():
        write_sample(folder, find_scheme(name))
    return written


@pytest.fixture(scope="module")
def folder(folders: dict[str, Path]) -> Path:
    return folders["sentiment"]


@pytest.fixture(scope="module")
def seeds(folders: dict[str, Path]) -> dict[str, SeedData]:
    schemes = {name: find_scheme(name) for name in folders}
    return {name: read_seed(sample_seed(folders[name], schemes[name]), 50, schemes[name]) for name in folders}


@pytest.fixture(scope="module")
def datasets(seeds: dict[str, SeedData]) -> dict[str, tuple[Row, ...]]:
    return {name: merge(seed, [], [], {}, MergePolicy()).rows for name, seed in seeds.items()}


@pytest.fixture(scope="module")
def posts() -> list[SampleText]:
    return sample_posts(SENTIMENT)


@both_schemes
def test_files_are_read_by_the_ordinary_readers_without_a_bad_line(
    scheme: Scheme, folders: dict[str, Path], seeds: dict[str, SeedData]
) -> None:
    production, seed = read_texts(folders[scheme.name] / "texts.csv", scheme), seeds[scheme.name]
    assert (seed.bad_lines, production.bad_lines) == ((), ())
    assert len(seed.rows) >= 600
    assert len(production.rows) >= {"sentiment": 2000, "rumour": 1600}[scheme.name]
    assert all(row.label is not None for row in production.rows)


def test_stricter_agreement_levels_are_parts_of_the_looser(folder: Path) -> None:
    levels = [{row.text for row in read_seed(folder, level, SENTIMENT).rows} for level in (50, 66, 75, 100)]
    assert levels[0] > levels[1] > levels[2] > levels[3]


def test_sentiment_sample_has_the_bytes_that_homes_were_made_from(folder: Path) -> None:
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()} == (
        WRITTEN_BEFORE_SCHEMES
    )


def test_rumour_sample_is_a_labelled_csv_with_the_template_of_every_sentence(
    folders: dict[str, Path], seeds: dict[str, SeedData]
) -> None:
    assert sorted(path.name for path in folders["rumour"].iterdir()) == ["seed.clusters.csv", "seed.csv", "texts.csv"]
    assert seeds["rumour"].groups == {text_id(each.text): each.template for each in sample_sentences(RUMOUR)}
    assert Counter(row.label for row in seeds["rumour"].rows).keys() == set(RUMOUR.names)


@pytest.mark.parametrize("name", ["weather", "sentiment", "rumour"])
def test_scheme_of_other_labels_has_no_sample(name: str, tmp_path: Path) -> None:
    scheme = scheme_of("confirmed", "rain", name=name)
    with pytest.raises(BadInput, match=rf"no sample for the label scheme {name} \(confirmed, rain\).*labelled CSV"):
        write_sample(tmp_path / "sample", scheme)
    assert list(tmp_path.iterdir()) == []


@both_schemes
def test_sample_is_the_same_in_every_process(scheme: Scheme, tmp_path: Path) -> None:
    write_sample(tmp_path / "here", scheme)
    code = (
        "import sys, pathlib; from storage.scheme import find_scheme; from training.data.sample.writer import "
        "write_sample as w; w(pathlib.Path(sys.argv[1]), find_scheme(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "again"), scheme.name]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run(command, check=True, cwd=SAMPLE.parents[1], env=environment)
    for path in (tmp_path / "here").iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


@both_schemes
@pytest.mark.parametrize("made", [sample_sentences, sample_posts])
def test_at_most_two_per_cent_have_a_near_duplicate(made: Any, scheme: Scheme) -> None:
    texts = [each.text for each in made(scheme)]
    assert len({text_id(text) for text in texts}) == len(texts)
    near = {position for pair in near_duplicates(texts) for position in pair}
    assert len(near) <= 0.02 * len(texts)


@pytest.mark.parametrize("made", [sample_sentences, sample_posts])
def test_no_text_of_the_rumour_sample_has_a_near_duplicate(made: Any) -> None:
    assert near_duplicates([each.text for each in made(RUMOUR)]) == []


@both_schemes
def test_no_sentence_is_a_near_duplicate_of_a_post(scheme: Scheme) -> None:
    sentences, posts = sample_sentences(scheme), sample_posts(scheme)
    assert near_duplicates([each.text for each in sentences], [each.text for each in posts]) == []


def test_sentences_are_half_neutral_and_posts_more_so(posts: list[SampleText]) -> None:
    sentences = _shares(sample_sentences(SENTIMENT))
    assert 0.5 <= sentences["neutral"] <= 0.62
    assert min(sentences.values()) >= 0.15
    production = _shares(posts)
    assert 0.55 <= production["neutral"] <= 0.65
    assert min(production.values()) >= 0.17


@pytest.mark.parametrize("made", [sample_sentences, sample_posts])
def test_rumours_are_about_half(made: Any) -> None:
    shares = _shares(made(RUMOUR))
    assert shares.keys() == set(RUMOUR.names)
    assert min(shares.values()) >= 0.4


@both_schemes
def test_no_template_stands_in_two_splits(scheme: Scheme, datasets: dict[str, tuple[Row, ...]]) -> None:
    template = {text_id(each.text): each.template for each in sample_sentences(scheme)}
    splits: dict[str, set[Split]] = {}
    for row in datasets[scheme.name]:
        splits.setdefault(template[row.text_id], set()).add(row.split)
    assert len(splits) >= 100
    assert all(len(each) == 1 for each in splits.values())


@both_schemes
def test_test_split_has_enough_of_every_label(scheme: Scheme, datasets: dict[str, tuple[Row, ...]]) -> None:
    rows = datasets[scheme.name]
    assert len(rows) == len(sample_sentences(scheme))
    test = Counter(row.label for row in rows if row.split is Split.TEST)
    assert 0.10 <= test.total() / len(rows) <= 0.20
    assert min(test[label] for label in scheme.names) >= 50


@pytest.mark.parametrize("case", HARD)
def test_sentences_have_the_hard_case(case: str) -> None:
    words, label = HARD[case]
    labels = {
        each.label for each in sample_sentences(SENTIMENT) if re.search(words, each.text.lower().replace(" 's", "'s"))
    }
    assert label in labels if label else labels == set(LABELS)


def test_same_words_stand_in_good_and_in_bad_news(posts: list[SampleText]) -> None:
    for word in ("printing", "bleeding", "ripping", "cooked", "drying up"):
        labels = Counter(each.label for each in posts if word in each.text)
        assert min(labels[label] for label in LABELS) >= 3, word


def test_posts_use_words_that_the_sentences_do_not(posts: list[SampleText]) -> None:
    sentences = " ".join(each.text.lower() for each in sample_sentences(SENTIMENT))
    slang = ("pt cut", "ripping", "bagholder", "printing", "rug", "diamond hands", "bleeding", "beat & raise")
    assert [word for word in slang if f" {word}" in sentences] == []
    together = " ".join(each.text.lower() for each in posts)
    assert [word for word in slang if word not in together] == []


@pytest.mark.parametrize("made", [sample_sentences, sample_posts])
@pytest.mark.parametrize("cue", CUES_ON_BOTH_SIDES)
def test_no_cue_word_gives_away_whether_a_text_is_a_rumour(cue: str, made: Any) -> None:
    labels = Counter(each.label for each in made(RUMOUR) if cue in each.text.lower())
    assert labels.total() >= 5
    assert min(labels[name] for name in RUMOUR.names) >= 0.15 * labels.total()


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


@both_schemes
@pytest.mark.parametrize("style", ["sentences", "posts"])
def test_every_slot_and_choice_is_filled(style: str, scheme: Scheme) -> None:
    grammar = load_grammar(SAMPLE / scheme.name / "vocabulary.toml", SAMPLE / scheme.name / f"{style}.toml")
    for section, templates in grammar.templates.items():
        for template in templates:
            for seed in range(5):
                text = Expansion(grammar.rules, random.Random(seed)).expand(template, 1 if seed % 2 else -1)
                assert not set("{}[]|") & set(text), (section, text)


def test_bag_of_words_stays_below_point_nine(datasets: dict[str, tuple[Row, ...]], posts: list[SampleText]) -> None:
    half = len(posts) // 2
    texts, labels = [each.text for each in posts], [each.label for each in posts]
    assert _on_test_rows(datasets["sentiment"]) < 0.9
    assert _bag_of_words(texts[:half], labels[:half], texts[half:], labels[half:]) < 0.9


def test_bag_of_words_knows_rumours_neither_by_heart_nor_not_at_all(datasets: dict[str, tuple[Row, ...]]) -> None:
    sentences, posts = sample_sentences(RUMOUR), sample_posts(RUMOUR)
    on_posts = _bag_of_words(
        [each.text for each in sentences],
        [each.label for each in sentences],
        [each.text for each in posts],
        [each.label for each in posts],
    )
    assert 0.65 < on_posts < 0.9
    assert _on_test_rows(datasets["rumour"]) < 0.9


def _on_test_rows(rows: tuple[Row, ...]) -> float:
    train = [row for row in rows if row.split is Split.TRAIN]
    test = [row for row in rows if row.split is Split.TEST]
    return _bag_of_words(
        [row.text for row in train],
        [row.label for row in train],
        [row.text for row in test],
        [row.label for row in test],
    )


def _shares(texts: list[SampleText]) -> dict[str, float]:
    counts = Counter(each.label for each in texts)
    return {label: count / len(texts) for label, count in counts.items()}


def _bag_of_words(texts: list[str], labels: Sequence[str], others: list[str], truth: Sequence[str]) -> float:
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
