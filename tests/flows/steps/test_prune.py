"""Old webhooks and finished intents are deleted; nothing that still counts is."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from flows.intents import Deploy, Promote, Resume, Retrain
from flows.steps.prune import Pruned, prune
from flows.wiring.parts import Parts
from storage.clock import now
from storage.labels.inbox import InboxState
from storage.sql.schema import InboxRow, IntentRow, ProblemRow
from tests.fixtures_home import answer

WEEK = timedelta(days=7)


def pruned(parts: Parts) -> Pruned:
    return prune(parts.inbox, parts.outbox, parts.problems, parts.datasets, WEEK)


def let_days_pass(parts: Parts, days: int) -> None:
    """Everything that was noted so far was noted so many days ago."""
    then = now() - timedelta(days=days)
    with parts.engine.begin() as connection:
        for moment in (InboxRow.processed_at, IntentRow.closed_at, ProblemRow.ended_at):
            connection.execute(update(moment.class_).where(moment.is_not(None)).values({moment.key: then}))


@pytest.mark.parametrize(
    ("state", "left"), [(InboxState.DONE, 0), (InboxState.IGNORED, 0), (InboxState.FAILED, 1), (None, 1)]
)
def test_webhooks_that_became_labels_are_deleted_and_others_stay(
    parts: Parts, state: InboxState | None, left: int
) -> None:
    row = parts.inbox.put("ANNOTATION_CREATED", {"action": "ANNOTATION_CREATED"})
    if state is not None:
        parts.inbox.close(row, state)
    let_days_pass(parts, 8)
    assert pruned(parts).webhooks == 1 - left
    assert sum(parts.inbox.counts().values()) == left


def test_nothing_young_is_deleted(parts: Parts) -> None:
    parts.inbox.close(parts.inbox.put("A", {}), InboxState.DONE)
    parts.outbox.intend(Deploy("1", attempt=1))
    parts.outbox.done(Deploy("1", attempt=1))
    parts.problems.note("one", "unfinished", "reason")
    parts.problems.end("one")
    let_days_pass(parts, 6)
    assert pruned(parts) == Pruned(0, 0, 0)


def test_finished_intents_are_deleted_and_open_and_troubled_ones_stay(parts: Parts) -> None:
    for version in ("1", "2", "3"):
        parts.outbox.intend(Promote(version))
    parts.outbox.done(Promote("1"))
    parts.outbox.give_up(Promote("2"), "weights damaged")
    let_days_pass(parts, 8)
    assert pruned(parts).intents == 1
    assert [entry.key for entry in parts.outbox.open()] == ["promote:3"]
    assert [entry.key for entry in parts.outbox.troubled()] == ["promote:2"]
    assert parts.outbox.count() == 2


@pytest.mark.parametrize("intent", [Retrain(0, labels=3), Resume(None, 0, 1), Resume("abc", 5, 1)])
def test_what_was_started_for_labels_that_no_dataset_has_read_is_remembered(
    parts: Parts, intent: Retrain | Resume
) -> None:
    parts.outbox.intend(intent)
    parts.outbox.done(intent)
    let_days_pass(parts, 80)
    assert pruned(parts).intents == 0
    assert not parts.outbox.intend(intent)


def test_ended_problems_are_deleted_and_open_ones_stay(parts: Parts) -> None:
    for key in ("ended", "open"):
        parts.problems.note(key, "unfinished", "reason")
    parts.problems.end("ended")
    let_days_pass(parts, 8)
    assert pruned(parts).problems == 1
    assert [problem.key for problem in parts.problems.open()] == ["open"]


def test_labels_are_never_deleted(parts: Parts) -> None:
    answer(parts, "profit rose")
    let_days_pass(parts, 4000)
    pruned(parts)
    assert len(parts.labels.trainable()) == 1


def test_what_was_deleted_is_said() -> None:
    assert Pruned(12, 3, 0).said() == "12 webhooks, 3 intents, 0 problems"
