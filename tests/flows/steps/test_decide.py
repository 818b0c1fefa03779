"""What follows from a verdict: kept once, deployed where promoted, and only what is new is trained on."""

from dataclasses import replace
from pathlib import Path

import pytest

from flows.intents import Deploy, Promote, read
from flows.steps.new_labels import announce
from flows.steps.recover import UNFINISHED
from flows.wiring.parts import Parts
from storage.errors import UnknownVersion
from tests.fixtures_home import POLICY, a_verdict, answer, build, decide, is_new, judged, register, registered, sentence
from training.model.recipe import Recipe


def given_up(parts: Parts, key: str, watermark: int) -> None:
    """As sync notes it after its last attempt."""
    parts.problems.note(f"{UNFINISHED}:{key}", UNFINISHED, "3 runs ended without a verdict", watermark=watermark)


def troubled(parts: Parts) -> list[str]:
    return [entry.key for entry in parts.outbox.troubled()] + [problem.key for problem in parts.problems.open()]


def intended(parts: Parts) -> list[object]:
    return [read(entry) for entry in parts.outbox.open()]


@pytest.mark.parametrize("promoted", [True, False])
def test_nothing_is_new_after_a_verdict_whatever_it_was(parts: Parts, tiny_model: Path, promoted: bool) -> None:
    judged(parts, tiny_model, promoted)
    assert not is_new(parts, build(parts))


def test_labels_that_arrive_during_a_retrain_lead_to_another(parts: Parts, tiny_model: Path) -> None:
    in_training = build(parts)
    ids = {answer(parts, sentence(index, "sharply dropped")) for index in range(parts.settings.retrain_after)}
    enough = parts.settings.retrain_after
    assert announce(parts.labels, parts.texts, parts.datasets, parts.outbox, lambda: parts.seed, enough)
    decide(parts, in_training, a_verdict(registered(parts, tiny_model, in_training).version, promoted=False))
    assert [intent.key for intent in parts.outbox.open()] == [f"retrain:{in_training.label_watermark}"]
    assert ids <= {row.text_id for row in build(parts).rows}


def test_labels_that_change_no_row_are_read_and_not_counted_as_new_for_ever(parts: Parts, tiny_model: Path) -> None:
    judged(parts, tiny_model)
    answer(parts, sentence(1, "whatever"), label=None)
    assert parts.labels.watermark() > parts.datasets.watermark()
    assert not is_new(parts, build(parts))
    assert parts.labels.watermark() == parts.datasets.watermark()


def test_another_recipe_is_something_new(parts: Parts, tiny_model: Path) -> None:
    dataset = judged(parts, tiny_model)
    other = POLICY.model_copy(update={"recipe": Recipe(epochs=2)})
    assert build(parts, other).version == dataset.version
    assert is_new(parts, dataset, other)
    assert not is_new(parts, dataset)


def test_a_promoted_candidate_is_the_challenger_and_its_deployment_is_intended_once(
    parts: Parts, tiny_model: Path
) -> None:
    dataset = build(parts)
    verdict = a_verdict(registered(parts, tiny_model, dataset).version)
    decide(parts, dataset, verdict)
    first = intended(parts)
    decide(parts, dataset, verdict)
    version = verdict.candidate
    assert first == [Promote(version), Deploy(version, attempt=1)]
    assert intended(parts) == first
    assert parts.registry.aliases() == {"challenger": version}
    assert parts.datasets.unjudged() is None


def test_a_refused_candidate_is_neither_challenger_nor_deployed(parts: Parts, tiny_model: Path) -> None:
    dataset = judged(parts, tiny_model, promoted=False)
    assert parts.outbox.open() == []
    assert parts.registry.aliases() == {}
    assert parts.datasets.unjudged() is None
    verdict = parts.registry.versions()[0].verdict
    assert verdict is not None
    assert (verdict.promoted, verdict.reason, verdict.dataset) == (False, "so it is", dataset.version)


def test_a_verdict_says_which_champion_was_met(parts: Parts, tiny_model: Path) -> None:
    champion = register(parts, tiny_model, "other data")
    dataset = build(parts)
    verdict = a_verdict(registered(parts, tiny_model, dataset).version, champion=champion.version)
    decide(parts, dataset, verdict)
    assert parts.registry.resolve(verdict.candidate).verdict == verdict
    assert verdict.champion == champion.version


def test_a_run_that_dies_between_the_intents_and_the_verdict_is_finished_by_the_next(
    parts: Parts, tiny_model: Path
) -> None:
    dataset = build(parts)
    verdict = a_verdict(registered(parts, tiny_model, dataset).version)
    missing = replace(dataset, version="not saved")
    with pytest.raises(UnknownVersion, match="not saved"):
        decide(parts, missing, verdict)
    assert {intent.kind for intent in parts.outbox.open()} == {Promote.kind, Deploy.kind}
    assert build(parts).version == dataset.version
    assert is_new(parts, dataset)
    decide(parts, dataset, verdict)
    assert len(parts.outbox.open()) == 2
    assert not is_new(parts, build(parts))


def test_a_verdict_ends_the_trouble_of_the_trainings_that_it_makes_up_for(parts: Parts, tiny_model: Path) -> None:
    given_up(parts, "0", 0)  # labels since change 0, which led to no dataset
    answer(parts, sentence(1, "sharply dropped"))
    dataset = build(parts)
    given_up(parts, dataset.version[:16], dataset.label_watermark)
    given_up(parts, "left with another", dataset.label_watermark)
    decide(parts, dataset, a_verdict(registered(parts, tiny_model, dataset).version, promoted=False))
    assert troubled(parts) == []


def test_trouble_that_a_verdict_does_not_end_stays(parts: Parts, tiny_model: Path) -> None:
    dataset = build(parts)
    given_up(parts, f"{dataset.label_watermark}", dataset.label_watermark)  # labels that came since
    given_up(parts, "newer", dataset.label_watermark + 1)
    parts.outbox.intend(away := Deploy("7", attempt=1))
    parts.outbox.failed(away, "Prefect is away")
    before = troubled(parts)
    decide(parts, dataset, a_verdict(registered(parts, tiny_model, dataset).version))
    assert troubled(parts) == before


def test_labels_that_lead_back_to_a_judged_dataset_end_the_trouble_over_them(parts: Parts, tiny_model: Path) -> None:
    judged(parts, tiny_model)
    given_up(parts, "0", 0)
    answer(parts, sentence(1, "whatever"), label=None)
    assert not is_new(parts, build(parts))
    assert troubled(parts) == []
