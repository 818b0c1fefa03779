"""After a score every text has a prediction by the champion, the same as offline."""

from pathlib import Path

import numpy as np
import pytest

from flows.steps.score import LONG_RUN, PAGE, Scored, choose_precision, score_texts
from flows.wiring.parts import Parts
from storage.clock import now
from storage.errors import CorruptModel
from storage.records import Text
from storage.text import text_id
from tests.deployments.serving.models import flip_a_bit
from tests.fixtures_home import put_text, register, sentence
from tests.fixtures_models import varied_texts
from tests.schemes import LABELS, named
from training.model.classifier import Classifier, Predicted, softmax
from training.model.precision import Precision, agreement, bf16_pays


def test_every_text_gets_the_champions_prediction_and_only_once(parts: Parts, tiny_model: Path) -> None:
    texts = [put_text(parts, sentence(index, "rose"), audit=index % 2 == 0) for index in range(7)]
    champion = register(parts, tiny_model)
    assert score_texts(parts.texts, parts.registry, champion, LABELS, 2).texts == 7
    assert score_texts(parts.texts, parts.registry, champion, LABELS, 32).texts == 0
    offline = Classifier.load(parts.registry.folder(champion.version), LABELS).predict([text.text for text in texts])
    stored = parts.texts.get([text.text_id for text in texts])
    for text, expected in zip(texts, offline.probabilities, strict=True):
        prediction = stored[text.text_id].prediction
        assert prediction is not None
        assert prediction.model_version == champion.version
        assert prediction.scores == pytest.approx(named(*expected.tolist()), abs=1e-5)


def test_a_new_champion_scores_all_texts_anew(parts: Parts, tiny_model: Path) -> None:
    put_text(parts, sentence(1, "rose"))
    score_texts(parts.texts, parts.registry, register(parts, tiny_model, "one"), LABELS, 32)
    second = register(parts, tiny_model, "two", shift=2.0)
    put_text(parts, sentence(2, "fell"))
    assert score_texts(parts.texts, parts.registry, second, LABELS, 32).texts == 2
    assert parts.texts.counts().predicted == {second.version: 2}


def test_texts_that_the_model_reads_in_part_are_counted(parts: Parts, tiny_model: Path) -> None:
    put_text(parts, sentence(1, "rose"))
    put_text(parts, "profit rose " * 200)
    champion = register(parts, tiny_model)
    assert score_texts(parts.texts, parts.registry, champion, LABELS, 32) == Scored(texts=2, truncated=1)


def test_more_texts_than_a_page_are_all_scored(parts: Parts, tiny_model: Path) -> None:
    words = [f"company {number}" for number in range(PAGE + 3)]
    parts.texts.add(Text(text_id(word), word, "feed", False, now()) for word in words)
    assert score_texts(parts.texts, parts.registry, register(parts, tiny_model), LABELS, 512).texts == PAGE + 3


def test_a_damaged_champion_scores_nothing(parts: Parts, tiny_model: Path) -> None:
    text = put_text(parts, sentence(1, "rose"))
    champion = register(parts, tiny_model)
    flip_a_bit(parts.registry.folder(champion.version) / "model.safetensors")
    with pytest.raises(CorruptModel):
        score_texts(parts.texts, parts.registry, champion, LABELS, 32)
    assert parts.texts.get([text.text_id])[text.text_id].prediction is None


@pytest.mark.parametrize("fast", [True, False])
def test_a_long_run_predicts_the_audit_as_in_service_and_the_rest_close_to_it(
    parts: Parts, calm_model: Path, fast: bool
) -> None:
    words = varied_texts(LONG_RUN)
    texts = [Text(text_id(word), word, "feed", at % 10 == 0, now()) for at, word in enumerate(words)]
    parts.texts.add(texts)
    champion = register(parts, calm_model)
    score_texts(parts.texts, parts.registry, champion, LABELS, 64, fast=fast)
    served = Classifier.load(parts.registry.folder(champion.version), LABELS).predict(words)
    stored = parts.texts.get([text.text_id for text in texts])
    logits = np.array(
        [list(prediction.logits.values()) for text in texts if (prediction := stored[text.text_id].prediction)]
    )
    scored = Predicted(LABELS, logits, softmax(logits), served.truncated)
    off = np.abs(logits - served.logits).max(axis=1)
    audit = np.array([text.audit for text in texts])
    assert off[audit].max() < 1e-5
    assert agreement(served, scored).close
    assert (off[~audit].max() > 1e-4) == (fast and bf16_pays("cpu"))


def test_a_short_run_is_exact(parts: Parts, tiny_model: Path) -> None:
    """Its sample would cost more than the fast precision saves."""
    texts = [put_text(parts, sentence(index, "rose")) for index in range(40)]
    champion = register(parts, tiny_model)
    score_texts(parts.texts, parts.registry, champion, LABELS, 32, fast=True)
    served = Classifier.load(parts.registry.folder(champion.version), LABELS).predict([text.text for text in texts])
    stored = parts.texts.get([text.text_id for text in texts])
    for text, expected in zip(texts, served.logits.tolist(), strict=True):
        prediction = stored[text.text_id].prediction
        assert prediction is not None and list(prediction.logits.values()) == pytest.approx(expected, abs=1e-4)


@pytest.mark.skipif(not bf16_pays("cpu"), reason="this processor does not multiply bf16")
def test_a_model_that_bf16_changes_too_much_stays_exact_and_the_run_says_why(
    calm_model: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = varied_texts(512)
    calm, changed = (Classifier.load(folder, LABELS, device="cpu") for folder in (calm_model, tiny_model))
    capsys.readouterr()
    assert choose_precision(calm, sample, 32) is Precision.FAST
    assert capsys.readouterr().out == ""
    assert choose_precision(changed, sample, 32) is Precision.EXACT
    assert "texts are scored in float32: in bf16, " in capsys.readouterr().out
