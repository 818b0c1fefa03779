"""What a dataset never does, whatever goes into it."""

import hashlib
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from flows.wiring.settings import Settings
from storage.records import Label, ParentKind, Purpose, Row, Split
from storage.text import in_audit, text_id
from tests.schemes import LABELS
from training.data.clusters import near_duplicates
from training.data.merge import (
    BRIDGES,
    CONTRADICTED,
    NEAR_AUDIT,
    NEAR_TEST,
    REPEATED,
    REPLACED,
    STRICTER,
    Merged,
    MergePolicy,
    merge,
)
from training.data.seed import SeedData, SeedRow

POSITIVE, NEUTRAL, NEGATIVE = "positive", "neutral", "negative"
POLICY = MergePolicy()
EVERYTHING = "the quick profit of the brown company jumped over the lazy forecast by {} percent this year"
"""Long enough for texts that differ in one number to be near-duplicates."""


def bank(*pairs: tuple[str, str], groups: dict[str, str] | None = None) -> SeedData:
    rows = tuple(SeedRow(line, text, label) for line, (text, label) in enumerate(pairs, start=1))
    return SeedData(rows, (), "sum", "here", groups or {}, ParentKind.PHRASEBANK)


def label(text: str, answer: str | None, purpose: Purpose = Purpose.SELECT, sequence: int = 1) -> Label:
    return Label(text_id(text), text, purpose, answer, 1, sequence)


def distinct(count: int, split: Split, start: str = "sentence") -> list[str]:
    """Texts, none near another, that fresh seed data of them put into `split`."""
    texts = [hashlib.sha256(f"{start}{number}".encode()).hexdigest()[:40] for number in range(60 * count)]
    placed = merge(bank(*((text, NEUTRAL) for text in texts)), [], [], {}, POLICY)
    return [row.text for row in placed.rows if row.split is split][:count]


def only(merged: Merged) -> Row:
    (row,) = merged.rows
    return row


def test_a_repeated_sentence_is_kept_once_and_a_contradicted_one_not_at_all() -> None:
    merged = merge(bank(("a b", POSITIVE), ("a  b", POSITIVE), ("c", POSITIVE), ("c", NEGATIVE)), [], [], {}, POLICY)
    assert only(merged).text == "a b"
    assert merged.dropped == {REPEATED: 1, CONTRADICTED: 2}


def test_only_answers_that_were_asked_for_to_learn_become_rows() -> None:
    given_labels = [
        label("x" * 30, POSITIVE),
        label("y" * 30, None),
        label("z" * 30, NEGATIVE, Purpose.AUDIT),
    ]
    merged = merge(bank(), given_labels, [], {}, MergePolicy(label_validation_share=0.0))
    assert (only(merged).text, only(merged).split, only(merged).origin) == ("x" * 30, Split.TRAIN, "label")


def test_what_is_near_an_audit_text_does_not_train_even_through_another_text() -> None:
    middle = EVERYTHING.format(1)
    chain = [middle.replace("quick", "quack"), middle, middle.replace("lazy", "lacy")]
    assert near_duplicates(chain) == [(0, 1), (1, 2)]
    labels = [label(chain[0], POSITIVE), label(chain[1], POSITIVE)]
    merged = merge(bank(), labels, chain[2:], {}, POLICY)
    assert (merged.rows, merged.dropped) == ((), {NEAR_AUDIT: 2})
    asked = label(chain[2], POSITIVE, Purpose.AUDIT)
    assert merge(bank(), [*labels, asked], [], {}, POLICY) == merged
    train = distinct(1, Split.TRAIN)[0]
    assert merge(bank((train, POSITIVE)), [], [train], {}, POLICY).dropped == {NEAR_AUDIT: 1}


def test_a_cluster_stays_whole_when_the_text_that_linked_it_is_gone() -> None:
    one, other = distinct(2, Split.TRAIN)
    known = {text_id(one): ("k", Split.TRAIN), text_id(other): ("k", Split.TRAIN)}
    merged = merge(bank((one, POSITIVE), (other, POSITIVE)), [], [one], known, POLICY)
    assert (merged.rows, merged.dropped) == ((), {NEAR_AUDIT: 2})


def test_a_frozen_test_row_near_an_audit_text_stays() -> None:
    test = distinct(1, Split.TEST)[0]
    assert only(merge(bank((test, POSITIVE)), [], [test], {}, POLICY)).split is Split.TEST


def test_annotators_overrule_the_seed_data_in_training_and_never_in_the_test() -> None:
    train, test = distinct(1, Split.TRAIN)[0], distinct(1, Split.TEST)[0]
    merged = merge(bank((train, POSITIVE)), [label(train, NEGATIVE)], [], {}, POLICY)
    assert (only(merged).label, only(merged).origin, merged.dropped) == (NEGATIVE, "label", {REPLACED: 1})
    merged = merge(bank((test, POSITIVE)), [label(test, NEGATIVE)], [], {}, POLICY)
    assert (only(merged).label, only(merged).origin, merged.dropped) == (POSITIVE, "phrasebank", {NEAR_TEST: 1})


def test_a_label_near_a_test_row_is_dropped() -> None:
    number = next(n for n in range(999) if only(merge(bank((EVERYTHING.format(n), POSITIVE)), [], [], {}, POLICY)).split
                  is Split.TEST)  # fmt: skip
    near = EVERYTHING.format(f"{number} 1")
    merged = merge(bank((EVERYTHING.format(number), POSITIVE)), [label(near, POSITIVE)], [], {}, POLICY)
    assert only(merged).origin == "phrasebank"
    assert merged.dropped == {NEAR_TEST: 1}


def test_the_newer_answer_for_a_text_counts() -> None:
    answers = [label("text", NEGATIVE, sequence=7), label("text", POSITIVE, sequence=3)]
    for given_labels in (answers, answers[::-1]):
        assert only(merge(bank(), given_labels, [], {}, POLICY)).label == NEGATIVE


def test_sentences_of_one_group_share_a_split() -> None:
    train, test = distinct(1, Split.TRAIN)[0], distinct(1, Split.TEST)[0]
    groups = {text_id(train): "template 1", text_id(test): "template 1"}
    merged = merge(bank((train, POSITIVE), (test, POSITIVE), groups=groups), [], [], {}, POLICY)
    assert len({(row.split, row.cluster) for row in merged.rows}) == 1


def test_a_text_that_bridges_two_splits_is_dropped() -> None:
    one, two, bridge = (EVERYTHING.format(number) for number in (1, 2, 3))
    known = {text_id(one): ("k1", Split.TRAIN), text_id(two): ("k2", Split.VALIDATION)}
    merged = merge(bank(), [label(one, POSITIVE), label(two, POSITIVE), label(bridge, POSITIVE)], [], known, POLICY)
    assert merged.dropped[BRIDGES] == 1
    assert merged.dropped[STRICTER] == 1  # the two are near each other as well: validation stays
    assert only(merged).text == two


def test_a_known_text_stays_where_it_is_and_a_new_one_joins_its_near_duplicate() -> None:
    old, new = EVERYTHING.format(1), EVERYTHING.format(2)
    for split in (Split.TRAIN, Split.VALIDATION):
        merged = merge(bank((new, POSITIVE)), [label(old, POSITIVE)], [], {text_id(old): ("k", split)}, POLICY)
        assert {(row.cluster, row.split) for row in merged.rows} == {("k", split)}


def test_shares_are_about_what_the_policy_says() -> None:
    texts = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(1500)]
    rows = merge(bank(*((text, NEUTRAL) for text in texts)), [], [], {}, POLICY).rows
    assert sum(row.split is Split.TEST for row in rows) / 1500 == pytest.approx(0.15, abs=0.03)
    assert sum(row.split is Split.VALIDATION for row in rows) / 1500 == pytest.approx(0.10, abs=0.03)


def test_labels_validate_by_their_share_whatever_the_audit_put_aside() -> None:
    salt = POLICY.salt  # the audit share's salt may be the same word, and is so by default
    assert salt == Settings.model_fields["audit_salt"].default
    texts = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(1500)]
    asked = [text for text in texts if not in_audit(text_id(text), salt, 0.12)]
    rows = merge(bank(), [label(text, NEUTRAL) for text in asked], [], {}, POLICY).rows
    assert len(rows) == len(asked)
    assert sum(row.split is Split.VALIDATION for row in rows) / len(rows) == pytest.approx(0.10, abs=0.03)


def test_a_policy_is_named_by_everything_in_it_and_bounded() -> None:
    changed = [{"test_share": 0.2}, {"validation_share": 0.2}, {"label_validation_share": 0.2}, {"salt": "other"}]
    assert len({MergePolicy.model_validate(fields).hash() for fields in [{}, *changed]}) == 5
    with pytest.raises(ValidationError):
        MergePolicy(test_share=0.6)


# Short texts over few letters: many near-duplicates, chains and repeats.
WORDS = st.lists(st.sampled_from(["profit rose", "sales fell", "in may", "by five", "again"]), min_size=1, max_size=5)
TEXTS = WORDS.map(" ".join)
SENTIMENTS = st.sampled_from(LABELS)
BANKS = st.lists(st.tuples(TEXTS, SENTIMENTS), max_size=8)
ANSWERS = st.lists(
    st.builds(label, TEXTS, SENTIMENTS | st.none(), st.sampled_from(list(Purpose))), max_size=8,
    unique_by=lambda answer: answer.text_id,
)  # fmt: skip
WIDE = MergePolicy(test_share=0.3, validation_share=0.3, label_validation_share=0.3)


def check_separation(merged: Merged, labels: Sequence[Label], audit: Sequence[str]) -> None:
    aside = [*audit, *(answer.text for answer in labels if answer.purpose is Purpose.AUDIT)]
    rows = merged.rows
    assert len({row.text_id for row in rows}) == len(rows)
    assert len({(row.cluster, row.split) for row in rows}) == len({row.cluster for row in rows})
    for one, other in near_duplicates([row.text for row in rows]):
        assert rows[one].split is rows[other].split
    for one, _ in near_duplicates([row.text for row in rows], aside):
        assert rows[one].split is Split.TEST
    assert all(row.origin == "phrasebank" for row in rows if row.split is Split.TEST)


@settings(max_examples=150)
@given(BANKS, ANSWERS, st.lists(TEXTS, max_size=3), BANKS, ANSWERS)
def test_splits_never_touch_and_nothing_known_moves(
    first: list[tuple[str, str]],
    answers: list[Label],
    audit: list[str],
    more: list[tuple[str, str]],
    more_answers: list[Label],
) -> None:
    before = merge(bank(*first), answers, audit, {}, WIDE)
    check_separation(before, answers, audit)
    later = list({answer.text_id: answer for answer in [*answers, *more_answers]}.values())
    after = merge(bank(*first, *more), later, audit, before.splits, WIDE)
    check_separation(after, later, audit)
    assert {identity: after.splits[identity] for identity in before.splits} == before.splits
    for row in after.rows:
        if row.text_id in before.splits:
            assert (row.cluster, row.split) == before.splits[row.text_id]


@settings(max_examples=60)
@given(BANKS, ANSWERS, st.lists(TEXTS, max_size=3), st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(
    first: list[tuple[str, str]], answers: list[Label], audit: list[str], random: Random
) -> None:
    merged = merge(bank(*first), answers, audit, {}, WIDE)
    for part in (first, answers, audit):
        random.shuffle(part)
    assert merge(bank(*first), answers, audit, {}, WIDE) == merged
