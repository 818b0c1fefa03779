"""Reasons are read by people, and stored."""

import pytest

from labeling.ask.reasons import Kind, Reason

REASONS = {
    "margin .04, rank 3 of 50,000; predicted up": Reason(
        strategy="margin", kind=Kind.STRATEGY, margin=0.04, predicted="up", rank=3, of=50_000
    ),
    "drawn at random; margin 1.00; predicted up": Reason(strategy="random", kind=Kind.RANDOM, margin=1, predicted="up"),
    "for its predicted label: badge, rank 1 of 2; margin .50; predicted up": Reason(
        strategy="badge", kind=Kind.QUOTA, margin=0.5, predicted="up", rank=1, of=2
    ),
    "badge, rank 1 of 2; margin .50": Reason(strategy="badge", kind=Kind.STRATEGY, margin=0.5, rank=1, of=2),
    "typical, rank 1 of 2": Reason(strategy="typical", kind=Kind.STRATEGY, rank=1, of=2),
    "drawn at random": Reason(strategy="random", kind=Kind.RANDOM),
}


@pytest.mark.parametrize("sentence", REASONS)
def test_a_person_reads_why(sentence: str) -> None:
    assert REASONS[sentence].sentence == sentence


@pytest.mark.parametrize("reason", REASONS.values())
def test_a_stored_reason_comes_back(reason: Reason) -> None:
    assert Reason.from_json(reason.to_json()) == reason


def test_a_reason_of_a_newer_version_is_read() -> None:
    newer = '{"strategy": "margin", "kind": "random", "margin": 0.5, "mood": "good"}'
    assert Reason.from_json(newer) == Reason(strategy="margin", kind=Kind.RANDOM, margin=0.5)
