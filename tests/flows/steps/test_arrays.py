"""A strategy gets the arrays that it reads, made by the champion, and no others."""

from pathlib import Path

import numpy as np
import pytest

from flows.steps.arrays import DROPOUT_TEXTS, PASSES, Reader, arrays, within_reach
from flows.wiring.parts import Parts
from labeling.ask.candidates import Candidates
from labeling.ask.facts import Fact
from labeling.ask.pool import Need
from storage.records import Split
from tests.fixtures_home import build, register, registered, sentence
from tests.schemes import LABELS
from training.model.classifier import Classifier


def candidates(count: int) -> Candidates:
    rows = np.random.default_rng(0).dirichlet(np.ones(len(LABELS)), size=count).astype(np.float32)
    facts = tuple(Fact(sentence(number, "rose"), "feed", None, f"{number}") for number in range(count))
    return Candidates(tuple(f"{number:032x}" for number in range(count)), facts, rows, np.ones(count, dtype=bool))


@pytest.fixture
def reader(parts: Parts, tiny_model: Path) -> Reader:
    return Reader(registered(parts, tiny_model, build(parts)), parts.registry, parts.datasets, parts.embeddings)


def test_a_strategy_of_probabilities_loads_no_model(parts: Parts, reader: Reader) -> None:
    pool = arrays(candidates(5), frozenset(), LABELS, reader, 0)
    assert len(pool) == 5
    assert not (pool.embeddings.size or pool.labelled.size or pool.dropout.size)
    assert not reader.cache.exists()


def test_embeddings_and_labelled_rows_are_those_of_the_champion(parts: Parts, reader: Reader) -> None:
    given = candidates(5)
    pool = arrays(given, frozenset({Need.EMBEDDINGS, Need.LABELLED}), LABELS, reader, 0)
    model = Classifier.load(parts.registry.folder(reader.champion.version), LABELS)
    assert pool.embeddings == pytest.approx(model.embed([fact.text for fact in given.facts]), abs=0.02)
    trained = [row.text for row in build(parts).rows if row.split is Split.TRAIN]
    assert trained
    assert len(pool.labelled) == len(pool.labelled_probabilities) == len(trained)
    assert pool.labelled_probabilities == pytest.approx(model.predict(trained).probabilities, abs=1e-5)


def test_a_damaged_cache_and_the_files_of_earlier_champions_are_replaced(
    parts: Parts, reader: Reader, tiny_model: Path
) -> None:
    needs, given = frozenset({Need.EMBEDDINGS}), candidates(3)
    first = arrays(given, needs, LABELS, reader, 0).embeddings
    (kept,) = reader.cache.iterdir()
    kept.write_bytes(b"damaged")
    assert np.array_equal(arrays(given, needs, LABELS, reader, 0).embeddings, first)
    later = Reader(register(parts, tiny_model, shift=1.0), parts.registry, parts.datasets, parts.embeddings)
    arrays(given, needs, LABELS, later, 0)
    assert [path.name.partition("-")[0] for path in reader.cache.iterdir()] == [later.champion.version]


def test_dropout_reads_the_texts_of_lowest_margin_alone(parts: Parts, reader: Reader) -> None:
    many = candidates(DROPOUT_TEXTS + 50)
    few = within_reach(many, frozenset({Need.DROPOUT}))
    ordered = np.sort(many.probabilities, axis=1)
    margins = dict(zip(many.text_ids, ordered[:, -1] - ordered[:, -2], strict=True))
    assert set(few.text_ids) == set(sorted(margins, key=lambda one: margins[one])[:DROPOUT_TEXTS])
    assert within_reach(many, frozenset()) is many
    pool = arrays(few.at(np.arange(4)), frozenset({Need.DROPOUT}), LABELS, reader, 0)
    assert pool.dropout.shape == (PASSES, 4, len(LABELS))


def test_a_champion_that_was_trained_elsewhere_has_no_rows(parts: Parts, tiny_model: Path) -> None:
    stranger = register(parts, tiny_model, dataset="adopted-from-somewhere")
    assert Reader(stranger, parts.registry, parts.datasets, parts.embeddings).trained_on() == []
