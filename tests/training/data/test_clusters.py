"""Rules of near-duplicate clusters; the real files are measured where FINLOOP_TEST_* names them."""

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.clusters import components, grams, near_any, near_duplicates

SHORT_TEXTS = st.text(alphabet="ab c", max_size=14)
THRESHOLDS = st.sampled_from([0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


def similarity(one: str, other: str) -> float:
    """The Jaccard similarity of the two texts' sets of grams, 0 to 1."""
    a, b = grams(one), grams(other)
    return len(a & b) / len(a | b)


@settings(max_examples=300)
@given(st.lists(SHORT_TEXTS, max_size=14), THRESHOLDS)
def test_pairs_within_a_list_are_those_that_brute_force_finds(texts: list[str], threshold: float) -> None:
    expected = [(i, j) for j in range(len(texts)) for i in range(j) if similarity(texts[i], texts[j]) >= threshold]
    assert near_duplicates(texts, threshold=threshold) == sorted(expected)


@settings(max_examples=300)
@given(st.lists(SHORT_TEXTS, max_size=10), st.lists(SHORT_TEXTS, max_size=10), THRESHOLDS)
def test_pairs_between_two_lists_are_those_that_brute_force_finds(
    texts: list[str], others: list[str], threshold: float
) -> None:
    expected = [
        (i, j) for i, text in enumerate(texts) for j, other in enumerate(others) if similarity(text, other) >= threshold
    ]
    assert near_duplicates(texts, others, threshold) == expected


@settings(max_examples=300)
@given(st.lists(SHORT_TEXTS, max_size=10), st.lists(SHORT_TEXTS, max_size=10), THRESHOLDS)
def test_a_text_is_near_any_that_brute_force_finds_among_the_others_and_the_earlier_ones(
    texts: list[str], others: list[str], threshold: float
) -> None:
    expected: set[int] = set()
    for place, text in enumerate(texts):
        earlier = [texts[one] for one in range(place) if one not in expected]
        if any(similarity(text, other) >= threshold for other in [*others, *earlier]):
            expected.add(place)
    assert near_any(texts, iter(others), threshold) == expected


def test_pairs_of_longer_texts_are_those_that_brute_force_finds() -> None:
    draw = random.Random(5)
    words = ["profit", "loss", "rose", "fell", "Oyj", "2009", "EUR", "quarter", "the", "of", "market", "share"]
    texts = [" ".join(draw.choice(words) for _ in range(12)) for _ in range(40)]
    texts += [text.replace("2009", "2010") for text in texts]
    expected = [(i, j) for j in range(80) for i in range(j) if similarity(texts[i], texts[j]) >= 0.8]
    assert expected
    assert near_duplicates(texts) == sorted(expected)


def test_case_whitespace_and_compatibility_characters_make_no_difference() -> None:
    assert near_duplicates(["Profit  rose to 5 %", "profit rose\nto 5 ％"]) == [(0, 1)]


def test_texts_of_unlike_words_are_no_pair() -> None:
    assert near_duplicates(["Profit rose to EUR 5 mn", "The meeting is on Monday"]) == []


@given(
    st.integers(1, 12).flatmap(
        lambda count: st.tuples(
            st.just(count), st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=12)
        )
    )
)
def test_components_are_the_closure_of_the_pairs(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    count, pairs = drawn
    reached = [{node} for node in range(count)]
    for _ in range(count):
        for one, other in pairs:
            union = reached[one] | reached[other]
            for node in union:
                reached[node] = reached[node] | union
    numbers = components(count, pairs)
    assert all((numbers[i] == numbers[j]) == (j in reached[i]) for i in range(count) for j in range(count))


@pytest.mark.timeout(120)  # the join takes seconds; to compare all pairs takes many minutes
def test_real_files_are_joined_without_comparing_all_pairs() -> None:
    folder, tweets = os.environ.get("FINLOOP_TEST_PHRASEBANK"), os.environ.get("FINLOOP_TEST_TEXTS")
    if not folder or not tweets:
        pytest.skip("FINLOOP_TEST_PHRASEBANK or FINLOOP_TEST_TEXTS is not set: no real texts to measure on")
    lines = (Path(folder) / "Sentences_50Agree.txt").read_text("latin-1").splitlines()
    sentences = [line.rpartition("@")[0] for line in lines]
    production = Path(tweets).read_text("utf-8").splitlines()
    inside, between = near_duplicates(sentences), near_duplicates(sentences, production)
    assert between == []
    rows = {position for pair in inside for position in pair}
    assert len(rows) == 110
