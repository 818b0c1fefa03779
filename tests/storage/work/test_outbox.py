import pytest
from sqlalchemy import Engine

from storage.work.outbox import Outbox


@pytest.fixture
def outbox(engine: Engine) -> Outbox:
    return Outbox(engine)


def test_the_same_effect_is_intended_once(outbox: Outbox) -> None:
    assert outbox.add("event 7", "event", {"watermark": 7})
    assert not outbox.add("event 7", "event", {"watermark": 8})
    (intent,) = outbox.open()
    assert (intent.key, intent.payload, intent.attempts, intent.closed_at) == ("event 7", {"watermark": 7}, 0, None)


def test_an_effect_that_was_brought_about_is_not_intended_again(outbox: Outbox) -> None:
    outbox.add("event 7", "event", {})
    outbox.close("event 7")
    assert not outbox.add("event 7", "event", {})
    assert outbox.open() == []


def test_open_intents_are_replayed_oldest_first_and_by_kind(outbox: Outbox) -> None:
    for key, kind in (("c", "event"), ("a", "alias"), ("b", "event")):
        outbox.add(key, kind, {})
    assert [intent.key for intent in outbox.open()] == ["c", "a", "b"]
    assert [intent.key for intent in outbox.open("event")] == ["c", "b"]


def test_a_failed_attempt_keeps_the_intent_open_with_its_reason(outbox: Outbox) -> None:
    outbox.add("event 7", "event", {})
    outbox.failed("event 7", "no answer")
    outbox.failed("event 7", "still no answer")
    (intent,) = outbox.open()
    assert (intent.attempts, intent.last_error) == (2, "still no answer")


def test_a_closed_intent_stays_as_it_was_closed(outbox: Outbox) -> None:
    outbox.add("event 7", "event", {})
    outbox.close("event 7")
    closed = outbox.get("event 7")
    outbox.failed("event 7", "a second replay came too late")
    outbox.give_up("event 7", "a third")
    outbox.close("event 7")
    assert outbox.get("event 7") == closed


def test_an_intent_that_was_given_up_keeps_its_reason(outbox: Outbox) -> None:
    outbox.add("event 7", "event", {})
    outbox.give_up("event 7", "the project is gone")
    intent = outbox.get("event 7")
    assert intent is not None
    assert intent.closed_at is not None
    assert intent.last_error == "the project is gone"
    assert outbox.open() == []


def test_a_closed_intent_is_open_again_when_it_is_reopened(outbox: Outbox) -> None:
    outbox.add("event 7", "event", {})
    outbox.failed("event 7", "no answer")
    outbox.reopen("event 7")
    assert [intent.attempts for intent in outbox.open()] == [1]
    outbox.close("event 7")
    outbox.reopen("event 7")
    assert [(intent.key, intent.attempts) for intent in outbox.open()] == [("event 7", 0)]


def test_trouble_is_told_by_kind(outbox: Outbox) -> None:
    for key, kind in (("event 7", "event"), ("alias 2", "alias"), ("alias 3", "alias")):
        outbox.add(key, kind, {})
    outbox.failed("event 7", "no answer")
    outbox.give_up("alias 2", "damaged")
    assert [intent.key for intent in outbox.troubled("alias")] == ["alias 2"]
    assert {intent.key for intent in outbox.troubled()} == {"event 7", "alias 2"}


def test_what_another_effect_made_up_for_is_closed_and_no_trouble_any_more(outbox: Outbox) -> None:
    for key in ("given up", "failed"):
        outbox.add(key, "event", {})
    outbox.give_up("given up", "the project is gone")
    outbox.failed("failed", "no answer")
    for key in ("given up", "failed"):
        outbox.overtake(key)
    assert outbox.troubled() == outbox.open() == []


def test_an_effect_without_trouble_is_not_overtaken(outbox: Outbox) -> None:
    for key in ("waiting", "done"):
        outbox.add(key, "event", {})
    outbox.close("done")
    before = outbox.get("waiting"), outbox.get("done")
    for key in ("waiting", "done"):
        outbox.overtake(key)
    assert (outbox.get("waiting"), outbox.get("done")) == before
