"""Before there is a champion, the base model says which texts are alike."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flows.steps.base_reader import BaseReader, strategy_and_arrays
from flows.wiring.parts import Parts
from labeling.ask.candidates import Candidates
from labeling.ask.facts import Fact
from labeling.ask.strategies.registry import find_strategy
from storage.text import text_id
from tests.fixtures_home import sentence
from tests.fixtures_models import write_tiny_base
from tests.schemes import LABELS
from training.model.base_model import find_base_model
from training.model.untrained import untrained_classifier


def candidates(count: int) -> Candidates:
    words = [sentence(number, "rose") for number in range(count)]
    facts = tuple(Fact(text, "feed", None, text) for text in words)
    return Candidates(tuple(map(text_id, words)), facts, np.empty((count, 0)), np.ones(count, dtype=bool))


@pytest.fixture
def reader(parts: Parts) -> BaseReader:
    return BaseReader(parts.base_model, LABELS, ["Sales grew in the third quarter"], parts.embeddings)


def test_typical_texts_are_told_by_the_base_model_alone(reader: BaseReader) -> None:
    given, asked = candidates(5), {text_id("A plant opens"): "A plant opens"}
    strategy, pool = strategy_and_arrays(given, find_strategy("typical"), asked, reader)
    model = untrained_classifier(reader.base, LABELS)
    assert strategy.name == "typical"
    assert pool.embeddings == pytest.approx(model.embed([fact.text for fact in given.facts]), abs=0.02)
    assert pool.labelled == pytest.approx(model.embed(["A plant opens", *reader.seed]), abs=0.02)


def test_chance_needs_no_model(reader: BaseReader) -> None:
    strategy, pool = strategy_and_arrays(candidates(5), find_strategy("random"), {}, reader)
    assert (strategy.name, len(pool), pool.embeddings.size) == ("random", 5, 0)
    assert not reader.cache.exists()


def test_texts_are_drawn_at_random_where_the_base_model_embeds_none(
    reader: BaseReader, parts: Parts, tmp_path: Path
) -> None:
    folder = write_tiny_base(tmp_path / "base")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 0'))
    without_layers = replace(reader, base=find_base_model(str(folder), parts.downloads))
    strategy, pool = strategy_and_arrays(candidates(5), find_strategy("typical"), {}, without_layers)
    assert (strategy.name, len(pool), pool.embeddings.size, pool.labelled.size) == ("random", 5, 0, 0)
    assert not list(reader.cache.glob("*"))


def test_embeddings_of_another_base_model_of_the_same_name_are_made_anew(
    reader: BaseReader, parts: Parts, tmp_path: Path
) -> None:
    folder = write_tiny_base(tmp_path / "base")
    config, found = folder / "config.json", []
    for epsilon in ("1e-12", "1e-3"):
        config.write_text(config.read_text().replace('"layer_norm_eps": 1e-12', f'"layer_norm_eps": {epsilon}'))
        one = BaseReader(find_base_model(str(folder), parts.downloads), LABELS, [], reader.cache)
        _, pool = strategy_and_arrays(candidates(3), find_strategy("typical"), {}, one)
        (kept,) = reader.cache.iterdir()
        found.append((kept.name, pool.embeddings.tolist()))
    (name, embeddings), (other_name, others) = found
    assert name != other_name
    assert embeddings != others
