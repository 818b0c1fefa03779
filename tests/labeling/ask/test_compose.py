"""What a batch is made of."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from labeling.ask.compose import Composition, compose
from labeling.ask.draft import ANOTHER_LANGUAGE, DAY_FULL, NEAR, OUTLIER, SOURCE_FULL
from labeling.ask.facts import ANOTHER_SCRIPT, COPY, FEW_LETTERS, Fact
from labeling.ask.language import Written
from labeling.ask.pool import Pool
from labeling.ask.reasons import Kind
from labeling.ask.rules import BatchRules
from labeling.ask.strategies.registry import STRATEGIES
from labeling.ask.strategies.uncertainty import margin
from tests.labeling.ask.pools import pool_of
from training.data.clusters import near_any

ENGLISH = Written("LATIN", frozenset({"en"}))
PLAIN = BatchRules(random_share=0, clip_share=0, quota=0)


def words(number: int) -> str:
    """A text that is near no other: letters drawn by the number."""
    return "".join(chr(97 + letter) for letter in np.random.default_rng(number).integers(26, size=30))


def facts_of(pool: Pool) -> list[Fact]:
    return [Fact(words(one), f"feed {one % 4}", date(2026, 1, 1 + one % 5), f"key {one}") for one in range(len(pool))]


def batch(
    pool: Pool,
    rules: BatchRules = PLAIN,
    size: int = 10,
    *,
    facts: Sequence[Fact] = (),
    name: str = "margin",
    seed: int = 0,
    aside: Iterable[str] = (),
    written: Written = Written(),  # noqa: B008 (frozen)
    sampled: npt.NDArray[np.bool_] | None = None,
) -> Composition:
    facts = facts or facts_of(pool)
    draw = np.random.default_rng(seed)
    return compose(
        pool, facts, STRATEGIES[name], rules, size, draw, near_any, aside=aside, written=written, sampled=sampled
    )


def positions(made: Composition, *kinds: Kind) -> list[int]:
    return [one.position for one in made.chosen if one.reason.kind in (kinds or tuple(Kind))]


@settings(max_examples=60)
@given(
    texts=st.integers(0, 40),
    size=st.integers(0, 50),
    random_share=st.floats(0, 1),
    quota=st.floats(0, 0.5),
    per_source=st.floats(0.01, 1),
    name=st.sampled_from(["margin", "badge", "core_set", "power_margin"]),
)
def test_a_batch_has_distinct_texts_of_the_pool_at_most_its_size_and_loses_none_without_a_reason(
    texts: int, size: int, random_share: float, quota: float, per_source: float, name: str
) -> None:
    rules = BatchRules(random_share=random_share, quota=quota, per_source=per_source)
    made = batch(pool_of(texts), rules, size, name=name)
    assert len(set(positions(made))) == len(made.chosen) <= min(size, texts)
    if len(made.chosen) < size:
        assert len(made.chosen) + sum(made.left_out.values()) == texts


def test_without_rules_a_batch_is_the_strategys_own() -> None:
    pool = pool_of(100)
    assert positions(batch(pool)) == np.argsort(-margin(pool.probabilities))[:10].tolist()


def test_the_random_part_does_not_depend_on_the_scores() -> None:
    pool, rules = pool_of(40), BatchRules(random_share=0.5)
    other = replace(pool, probabilities=pool.probabilities[::-1].copy())
    assert positions(batch(pool, rules), Kind.RANDOM) == positions(batch(other, rules), Kind.RANDOM)


def test_the_random_part_comes_from_the_random_sample_of_the_stream_alone() -> None:
    sampled = np.arange(40) % 2 == 0
    made = batch(pool_of(40), BatchRules(random_share=0.5, clip_share=0), 20, sampled=sampled)
    assert all(sampled[one] for one in positions(made, Kind.RANDOM))
    assert not all(sampled[one] for one in positions(made, Kind.STRATEGY))


def test_each_fit_text_is_drawn_equally_often() -> None:
    pool, rules = pool_of(20), BatchRules(random_share=0.5, per_source=0.3, quota=0.3, clip_share=0.2)
    facts, rounds = facts_of(pool), 1500
    facts[3] = replace(facts[3], text="short")
    drawn = Counter(
        one for seed in range(rounds) for one in positions(batch(pool, rules, 8, facts=facts, seed=seed), Kind.RANDOM)
    )
    assert drawn[3] == 0
    shares = [drawn[one] / rounds for one in range(20) if one != 3]
    assert shares == pytest.approx([4 / 19] * 19, abs=0.04)


def test_whoever_stops_early_has_answered_the_right_share_of_random_texts() -> None:
    made = batch(pool_of(300), BatchRules(random_share=0.2), 100)
    kinds = [one.reason.kind is Kind.RANDOM for one in made.chosen]
    assert all(abs(sum(kinds[:end]) - 0.2 * end) <= 1 for end in range(101))
    assert sum(kinds) == 20


def rare_pool() -> Pool:
    """Texts of which two in a hundred have the third label, and of these the model is sure."""
    draw = np.random.default_rng(0)
    probabilities = np.concatenate([draw.uniform(0.3, 0.6, size=(196, 1)), np.full((4, 1), 0.01)])
    last = np.concatenate([np.full((196, 1), 0.05), np.full((4, 1), 0.95)])
    return Pool(np.concatenate([probabilities, 1 - probabilities - last, last], axis=1))


@pytest.mark.parametrize("random_share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(("quota", "met"), [(0.0, 0), (0.1, 3), (0.3, 4)])
def test_each_label_gets_its_quota_or_all_that_there_is(random_share: float, quota: float, met: int) -> None:
    rules = PLAIN.model_copy(update={"quota": quota, "random_share": random_share})
    made = batch(rare_pool(), rules, 30)
    rare = [one for one in positions(made) if one >= 196]
    assert len(made.chosen) == 30
    assert len(rare) >= min(met, 30 - round(30 * random_share))
    if not random_share:
        assert len(rare) == met


def test_the_most_uncertain_are_left_to_the_random_part() -> None:
    pool = pool_of(100)
    made = batch(pool, PLAIN.model_copy(update={"clip_share": 0.05}))
    order = np.argsort(-margin(pool.probabilities))
    assert positions(made) == order[5:15].tolist()
    assert made.left_out == {OUTLIER: 5}


@pytest.mark.parametrize(("rule", "reason"), [("per_source", SOURCE_FULL), ("per_day", DAY_FULL)])
def test_no_source_and_no_day_gets_more_than_its_share(rule: str, reason: str) -> None:
    pool = pool_of(100)
    facts = [replace(fact, source="flood", day=date(2026, 1, 1)) for fact in facts_of(pool)[:90]] + facts_of(pool)[90:]
    made = batch(pool, PLAIN.model_copy(update={rule: 0.3}), facts=facts)
    assert len(made.chosen) == 10
    found = Counter(facts[one].source if rule == "per_source" else facts[one].day for one in positions(made))
    assert max(found.values()) <= 3
    assert made.left_out[reason] > 80


def test_one_of_the_copies_is_asked_whatever_their_order() -> None:
    pool = pool_of(30)
    facts = [replace(fact, key="the same") if one < 20 else fact for one, fact in enumerate(facts_of(pool))]
    made = batch(pool, size=30, facts=facts)
    turned = batch(replace(pool, probabilities=pool.probabilities[::-1]), size=30, facts=facts[::-1])
    assert len(made.chosen) == 11
    assert made.left_out == {COPY: 19}
    assert {facts[one].text for one in positions(made)} == {facts[::-1][one].text for one in positions(turned)}


@pytest.mark.parametrize("random_share", [0, 0.5, 1])
def test_one_of_the_near_texts_is_asked_and_none_near_what_was_asked_before(random_share: float) -> None:
    pool = pool_of(60)
    facts = [
        replace(fact, text=words(0) * 3 + chr(97 + one)) if one < 26 else fact
        for one, fact in enumerate(facts_of(pool))
    ]
    rules = PLAIN.model_copy(update={"random_share": random_share})
    made = batch(pool, rules, 60, facts=facts, aside=[words(number) + "x" for number in range(50, 60)])
    assert sum(one < 26 for one in positions(made)) == 1
    assert sorted(one for one in positions(made) if one >= 26) == list(range(26, 50))
    assert made.left_out == {NEAR: 35}


def test_texts_of_few_letters_or_of_another_script_are_not_asked() -> None:
    pool = pool_of(6)
    facts = facts_of(pool)
    facts[1] = replace(facts[1], text="$ABC 12.5% +++ 1234567890")
    facts[2] = replace(facts[2], text="Прибыль компании выросла на треть, Ltd")
    facts[4] = replace(facts[4], text="Ølgigant hæver årets forventninger")
    made = batch(pool, facts=facts, written=Written("LATIN"))
    assert sorted(positions(made)) == [0, 3, 4, 5]
    assert made.left_out == {FEW_LETTERS: 1, ANOTHER_SCRIPT: 1}


@pytest.mark.parametrize("random_share", [0.0, 0.5, 1.0])
def test_a_text_of_another_language_is_not_asked_and_another_takes_its_place(
    random_share: float,
) -> None:
    english = (
        "Operating profit rose to 13 million euros in the third quarter",
        "The company will cut two hundred jobs at its plant in Finland",
        "Shares of the airline fall after weak bookings for the summer",
        "Analysts expect the bank to raise its dividend next spring",
    )
    pool = pool_of(5)
    german = "Der Umsatz stieg im dritten Quartal um 5 Prozent auf 3,2 Millionen Euro."
    facts = [replace(fact, text=text) for fact, text in zip(facts_of(pool), (*english, german), strict=True)]
    rules = BatchRules(random_share=random_share, clip_share=0, quota=0)
    made = batch(pool, rules, 4, facts=facts, written=ENGLISH)
    assert sorted(positions(made)) == [0, 1, 2, 3]
    assert batch(pool, rules, 5, facts=facts, written=ENGLISH).left_out == {ANOTHER_LANGUAGE: 1}
    assert len(batch(pool, rules, 5, facts=facts).chosen) == 5


def test_texts_that_no_model_scored_are_neither_clipped_nor_given_quotas() -> None:
    pool = replace(pool_of(40), probabilities=np.empty((40, 0)))
    made = batch(pool, BatchRules(random_share=0.25, clip_share=0.5, quota=0.3), 40, name="typical")
    assert Counter(one.reason.kind for one in made.chosen) == {Kind.RANDOM: 10, Kind.STRATEGY: 30}
    assert {one.reason.margin for one in made.chosen} == {None}


def test_the_reason_of_a_choice_is_its_rank_and_its_margin() -> None:
    pool = pool_of(100)
    facts = [replace(fact, label="fine") for fact in facts_of(pool)]
    third = batch(pool, facts=facts).chosen[2]
    gap = 1 - margin(pool.probabilities)[third.position]
    assert third.reason.margin == pytest.approx(gap)
    assert third.reason.sentence == f"margin .{round(gap * 100):02d}, rank 3 of 100; predicted fine"


@pytest.mark.parametrize("wrong", [{"random_share": 1.1}, {"quota": 0.6}, {"per_source": 0}, {"qouta": 0.1}])
def test_rules_out_of_their_bounds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        BatchRules.model_validate(wrong)
