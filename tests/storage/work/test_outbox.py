from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine

from storage.work.outbox import Outbox


@dataclass(frozen=True)
class Wish:
    """An intent of a kind that only the tests know."""

    key: str
    kind: str = "event"
    payload: dict[str, Any] = field(default_factory=dict)


EVENT = Wish("event 7", payload={"watermark": 7})


@pytest.fixture
def outbox(engine: Engine) -> Outbox:
    return Outbox(engine)


def test_the_same_effect_is_intended_once(outbox: Outbox) -> None:
    assert outbox.intend(EVENT)
    assert not outbox.intend(Wish("event 7", payload={"watermark": 8}))
    (intent,) = outbox.open()
    assert (intent.key, intent.kind, intent.payload) == ("event 7", "event", {"watermark": 7})
    assert (intent.attempts, intent.closed_at) == (0, None)


def test_an_effect_that_was_brought_about_is_not_intended_again(outbox: Outbox) -> None:
    outbox.intend(EVENT)
    outbox.done(EVENT)
    assert not outbox.intend(EVENT)
    assert outbox.open() == []


def test_open_intents_are_replayed_oldest_first_and_by_kind(outbox: Outbox) -> None:
    for key, kind in (("c", "event"), ("a", "alias"), ("b", "event")):
        outbox.intend(Wish(key, kind))
    assert [intent.key for intent in outbox.open()] == ["c", "a", "b"]
    assert [intent.key for intent in outbox.open("event")] == ["c", "b"]


def test_a_failed_attempt_keeps_the_intent_open_with_its_reason(outbox: Outbox) -> None:
    outbox.intend(EVENT)
    outbox.failed(EVENT, "no answer")
    outbox.failed(EVENT, "still no answer")
    (intent,) = outbox.open()
    assert (intent.attempts, intent.last_error) == (2, "still no answer")


def test_a_closed_intent_stays_as_it_was_closed(outbox: Outbox) -> None:
    outbox.intend(EVENT)
    outbox.done(EVENT)
    closed = outbox.get("event 7")
    outbox.failed(EVENT, "a second replay came too late")
    outbox.give_up(EVENT, "a third")
    outbox.done(EVENT)
    assert outbox.get("event 7") == closed


def test_what_the_outbox_keeps_is_an_intent_too(outbox: Outbox) -> None:
    outbox.intend(EVENT)
    (kept,) = outbox.open()
    outbox.done(kept)
    assert outbox.open() == []


def test_an_intent_that_was_given_up_keeps_its_reason(outbox: Outbox) -> None:
    outbox.intend(EVENT)
    outbox.give_up(EVENT, "the project is gone")
    intent = outbox.get("event 7")
    assert intent is not None
    assert intent.closed_at is not None
    assert intent.last_error == "the project is gone"
    assert outbox.open() == []


def test_an_intent_that_never_was_is_intended_when_it_is_renewed(outbox: Outbox) -> None:
    outbox.renew(EVENT)
    assert [intent.key for intent in outbox.open()] == ["event 7"]


def test_a_closed_intent_is_open_again_when_it_is_renewed(outbox: Outbox) -> None:
    outbox.intend(EVENT)
    outbox.failed(EVENT, "no answer")
    outbox.renew(EVENT)
    assert [intent.attempts for intent in outbox.open()] == [1]
    outbox.done(EVENT)
    outbox.renew(EVENT)
    assert [(intent.key, intent.attempts) for intent in outbox.open()] == [("event 7", 0)]


def test_a_renewed_intent_has_the_new_payload(outbox: Outbox) -> None:
    for number in (1, 2):
        outbox.renew(Wish("event 7", payload={"number": number}))
    assert [intent.payload for intent in outbox.open()] == [{"number": 2}]


def test_trouble_is_told_by_kind(outbox: Outbox) -> None:
    for wish in (given_up := Wish("alias 2", "alias"), EVENT, Wish("alias 3", "alias")):
        outbox.intend(wish)
    outbox.failed(EVENT, "no answer")
    outbox.give_up(given_up, "damaged")
    assert [intent.key for intent in outbox.troubled("alias")] == ["alias 2"]
    assert [intent.key for intent in outbox.troubled()] == ["event 7", "alias 2"]


def test_what_another_effect_made_up_for_is_closed_and_no_trouble_any_more(outbox: Outbox) -> None:
    given_up, failed = Wish("given up"), Wish("failed")
    for wish in (given_up, failed):
        outbox.intend(wish)
    outbox.give_up(given_up, "the project is gone")
    outbox.failed(failed, "no answer")
    for wish in (given_up, failed):
        outbox.overtake(wish)
    assert outbox.troubled() == outbox.open() == []


def test_an_effect_without_trouble_is_not_overtaken(outbox: Outbox) -> None:
    waiting, done = Wish("waiting"), Wish("done")
    for wish in (waiting, done):
        outbox.intend(wish)
    outbox.done(done)
    before = outbox.get("waiting"), outbox.get("done")
    for wish in (waiting, done):
        outbox.overtake(wish)
    assert (outbox.get("waiting"), outbox.get("done")) == before
