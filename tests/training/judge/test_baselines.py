"""Baselines answer by name, and learn from the train rows alone."""

from pathlib import Path

import numpy as np
import pytest

from storage.errors import BadInput, Part
from storage.scheme import DEFAULT, find_scheme
from tests.schemes import LABELS
from training.judge.baselines import by_words, majority, read_words, tf_idf
from training.judge.evaluate import Examples, examples

SCHEME = find_scheme(DEFAULT)
WORDS = {"positive": "rose", "negative": "fell", "neutral": "held"}
TRAIN = examples((f"{word} number {row}", label) for label, word in WORDS.items() for row in range(10))
GIVEN = examples((f"{word} again", label) for label, word in WORDS.items())
NONE = Examples((), ())


def a_list(folder: Path, content: str) -> Path:
    path = folder / "words.csv"
    path.write_text(content)
    return path


def test_the_majority_is_that_of_the_train_rows_and_not_of_the_rows_judged() -> None:
    train = examples([("a", "negative"), ("b", "negative"), ("c", "positive")])
    found = majority(train, examples([("x", "positive")] * 5), LABELS)
    assert set(found.predicted) == {"negative"}
    shares = {"positive": 1 / 3, "neutral": 0.0, "negative": 2 / 3}
    assert found.probabilities[0].tolist() == pytest.approx([shares[label] for label in LABELS])


@pytest.mark.parametrize("labels", [LABELS, LABELS[::-1]])
def test_tf_idf_answers_by_name_whatever_the_order_of_labels(labels: tuple[str, ...]) -> None:
    (found,) = tf_idf(TRAIN, GIVEN, [GIVEN], labels)
    assert found.predicted == GIVEN.truth
    assert [labels[column] for column in found.probabilities.argmax(axis=1)] == list(GIVEN.truth)


def test_tf_idf_learns_nothing_from_the_rows_it_is_judged_on() -> None:
    turned = Examples(GIVEN.texts, GIVEN.truth[1:] + GIVEN.truth[:1])
    (one,), (other,) = (tf_idf(TRAIN, NONE, [some], LABELS) for some in (GIVEN, turned))
    assert np.array_equal(one.probabilities, other.probabilities)
    words = examples([("unheard of", "positive"), ("never met", "negative")])
    (unknown,) = tf_idf(TRAIN, words, [words], LABELS)
    assert np.allclose(unknown.probabilities[0], unknown.probabilities[1])


def test_tf_idf_needs_two_labels() -> None:
    with pytest.raises(BadInput, match="two labels"):
        tf_idf(examples([("a word", "positive")]), NONE, [GIVEN], LABELS)


def test_words_vote_and_a_tie_or_silence_is_the_label_without_words(tmp_path: Path) -> None:
    words = read_words(a_list(tmp_path, "word,sentiment\nGAIN,Positive\nLOSS,Negative\nMAY,Uncertainty\n"), SCHEME)
    assert words == {"gain": "positive", "loss": "negative"}
    texts = ("A gain, a gain and a loss", "losses, no: a Loss", "gain and loss", "nothing")
    found = by_words(words, TRAIN, Examples(texts, ("neutral",) * 4), LABELS)
    assert found.predicted == ("positive", "negative", "neutral", "neutral")
    assert np.allclose(found.probabilities.sum(axis=1), 1)


@pytest.mark.parametrize(
    "content", ["", "term,kind\na,b\n", "word,sentiment\nmay,uncertainty\n", 'word,sentiment\n"open,positive\n']
)
def test_a_list_that_is_none_is_refused_by_its_part(tmp_path: Path, content: str) -> None:
    with pytest.raises(BadInput, match=r"words\.csv") as refused:
        read_words(a_list(tmp_path, content), SCHEME)
    assert refused.value.part is Part.SENTIMENT_WORDS


def test_a_list_that_is_missing_is_refused_by_its_part(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read") as refused:
        read_words(tmp_path / "none.csv", SCHEME)
    assert refused.value.part is Part.SENTIMENT_WORDS
