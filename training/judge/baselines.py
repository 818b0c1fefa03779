"""Simple models that a trained one has to beat on the same rows: the commonest label, lists of words, TF-IDF.

A score means little alone: where nine rows in ten have one label, nine in ten is what a constant answer gets.
"""

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from storage.errors import BadInput, Part
from storage.scheme import Scheme
from training.judge.evaluate import Evaluation, Examples
from training.judge.metrics import score

STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""The inverse regularisations C among which the validation rows choose."""

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def majority(train: Examples, given: Examples, labels: Sequence[str]) -> Evaluation:
    """Always the commonest label of the train rows; the probabilities are the shares there."""
    counts = Counter(train.truth)
    shares = np.array([counts[label] for label in labels], dtype=np.float64) / max(1, len(train))
    answer = max(labels, key=lambda label: counts[label])
    return _evaluation(given, [answer] * len(given), labels, np.tile(shares, (len(given), 1)))


def read_words(path: Path, scheme: Scheme) -> dict[str, str]:
    """Word -> label, from a CSV with the columns word and sentiment, as the lists of Loughran and McDonald 2011 have.

    A sentiment that is no label here (such as uncertainty) is left out. Raises BadInput that names the file.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, strict=True)
            columns = set(rows.fieldnames or ())
            if not {"word", "sentiment"} <= columns:
                raise BadInput(f"{path} has no columns word and sentiment", Part.SENTIMENT_WORDS)
            pairs = [((row["word"] or "").strip(), (row["sentiment"] or "").strip()) for row in rows]
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}", Part.SENTIMENT_WORDS) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is no CSV in UTF-8: {error}", Part.SENTIMENT_WORDS) from error
    words = {word.casefold(): scheme.label(said) for word, said in pairs if word and scheme.knows(said)}
    if not words:
        raise BadInput(f"{path} has no word whose sentiment is one of {', '.join(scheme.names)}", Part.SENTIMENT_WORDS)
    return words


def by_words(words: Mapping[str, str], train: Examples, given: Examples, labels: Sequence[str]) -> Evaluation:
    """The label with most words in the text. Where words are absent or tie, the commonest train label without words."""
    counts = Counter(train.truth)
    other = max([one for one in labels if one not in words.values()] or labels, key=lambda label: counts[label])
    answers, votes = [], np.zeros((len(given), len(labels)))
    for row, text in enumerate(given.texts):
        found = Counter(words[word] for word in _WORD.findall(text.casefold()) if word in words)
        most = [label for label, count in found.items() if count == max(found.values())]
        answers.append(most[0] if len(most) == 1 else other)
        votes[row] = [found[label] + 0.5 * (label == other) for label in labels]
    return _evaluation(given, answers, labels, votes / votes.sum(axis=1, keepdims=True))


def tf_idf(train: Examples, validation: Examples, given: Sequence[Examples], labels: Sequence[str]) -> list[Evaluation]:
    """Logistic regression on TF-IDF of words and pairs of words; it learns from `train`, and `validation` chooses C.

    Raises BadInput where the train rows have fewer than two labels, or no words.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    if len(set(train.truth)) < 2:
        raise BadInput("the train rows have fewer than two labels")
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    try:
        seen = vectorizer.fit_transform(train.texts)
    except ValueError as error:
        raise BadInput(f"the train rows have no words: {error}") from error
    held = vectorizer.transform(validation.texts) if len(validation) else None
    best, chosen = -1.0, None
    for strength in (1.0,) if held is None else STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=1000).fit(seen, train.truth)
        said = [] if held is None else model.predict(held).tolist()
        reached = score(validation.truth, said, labels).macro_f1 if said else 0.0
        if reached > best:
            best, chosen = reached, model
    assert chosen is not None
    columns = {str(name): column for column, name in enumerate(chosen.classes_)}
    made = []
    for some in given:
        known = chosen.predict_proba(vectorizer.transform(some.texts)) if len(some) else np.zeros((0, len(columns)))
        scores = np.zeros((len(some), len(labels)))
        for place, label in enumerate(labels):
            if label in columns:
                scores[:, place] = known[:, columns[label]]
        made.append(_evaluation(some, [labels[column] for column in scores.argmax(axis=1)], labels, scores))
    return made


def _evaluation(given: Examples, answers: Sequence[str], labels: Sequence[str], scores: object) -> Evaluation:
    probabilities = np.asarray(scores, dtype=np.float32).reshape(len(given), len(labels))
    return Evaluation(given.texts, given.truth, tuple(answers), tuple(labels), probabilities)
