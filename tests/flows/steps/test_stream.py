"""What judges never trains, with a label or without one."""

from pathlib import Path

from flows.steps.score import score_texts
from flows.steps.stream import unlabelled_texts
from flows.wiring.parts import Parts
from storage.records import DatasetVersion, Purpose, Split
from tests.fixtures_home import answer, build, put_text, register, sentence
from tests.schemes import LABELS


def scored_by_a_champion(parts: Parts, model: Path) -> None:
    champion = register(parts, model)
    parts.registry.set_alias("champion", champion.version)
    score_texts(parts.texts, parts.registry, champion, LABELS, 32)


def drawn(parts: Parts, dataset: DatasetVersion, size: int = 50) -> list[str]:
    return unlabelled_texts(parts.texts, dataset, size, seed=1)


def test_only_texts_that_judge_nothing_and_have_no_label_are_drawn(parts: Parts, tiny_model: Path) -> None:
    answer(parts, sentence(1, "has a label"))
    dataset = build(parts)
    tested = next(row for row in dataset.rows if row.split is Split.TEST)
    put_text(parts, sentence(2, "belongs to the audit share"), audit=True)
    put_text(parts, sentence(2, "belongs to the audit share") + " now")
    put_text(parts, tested.text + " now")
    free = [put_text(parts, sentence(number, "is free to teach")).text for number in (3, 4)]
    put_text(parts, free[0] + " now")
    scored_by_a_champion(parts, tiny_model)
    found = drawn(parts, dataset)
    assert len(found) == 2
    assert {text.removesuffix(" now") for text in found} == set(free)


def test_no_more_are_drawn_than_the_recipe_asks_for(parts: Parts, tiny_model: Path) -> None:
    dataset = build(parts)
    for number in range(9):
        put_text(parts, sentence(number, "is free to teach"))
    scored_by_a_champion(parts, tiny_model)
    assert len(drawn(parts, dataset, size=4)) == 4
    assert drawn(parts, dataset, size=4) == drawn(parts, dataset, size=4)
    assert drawn(parts, dataset, size=0) == []


def test_texts_that_an_earlier_champion_scored_are_drawn_too(parts: Parts, tiny_model: Path) -> None:
    dataset = build(parts)
    put_text(parts, sentence(1, "is free to teach"))
    scored_by_a_champion(parts, tiny_model)
    later = register(parts, tiny_model, "later", shift=1.0)
    parts.registry.set_alias("champion", later.version)
    assert len(drawn(parts, dataset)) == 1


def test_without_a_champion_nothing_is_drawn(parts: Parts) -> None:
    put_text(parts, sentence(1, "is free to teach"))
    answer(parts, sentence(2, "asked"), "neutral", Purpose.SELECT)
    assert drawn(parts, build(parts)) == []
