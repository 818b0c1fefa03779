"""What was cut short is started again by numbered events: not too soon, not for ever, never beside a living run."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from flows.intents import Deploy, Promote, Resume, Retrain
from flows.steps.new_labels import announce
from flows.steps.recover import (
    DEPLOY_LEASE,
    RETRAIN_LEASE,
    RUN_LEASE,
    UNUSABLE,
    Cancelled,
    Patience,
    end_unusable,
    restart_promotions,
    restart_training,
    unusable_noted,
)
from flows.wiring.parts import Parts
from storage.clock import now
from storage.errors import BadInput, Part, Unreachable
from storage.sql.schema import DatasetRow, IntentRow
from tests.fixtures_home import a_verdict, answer, build, decide, problems, registered, sentence

PATIENCE = Patience(seconds=60, attempts=3)


def restart_unfinished(parts: Parts, patience: Patience) -> list[str]:
    """As the sync flow does it."""
    return [
        *restart_promotions(parts.outbox, parts.leases, patience),
        *restart_training(
            parts.outbox,
            parts.problems,
            parts.leases,
            parts.datasets,
            lambda: parts.seed,
            patience,
        ),
    ]


def let_pass(parts: Parts, seconds: float = 61) -> None:
    """Everything that was noted so far was noted so long ago."""
    earlier = timedelta(seconds=seconds)
    moments = (IntentRow.created_at, IntentRow.closed_at, DatasetRow.created_at)
    with parts.engine.begin() as connection:
        for moment in moments:
            for found in {one for one in connection.scalars(select(moment)) if one is not None}:
                connection.execute(update(moment.class_).where(moment == found).values({moment.key: found - earlier}))


def intended(parts: Parts, kind: str) -> list[str]:
    return [intent.key for intent in parts.outbox.open(kind)]


def deliver_all(parts: Parts) -> list[str]:
    """Prefect takes every open event; the runs that they start are killed."""
    sent = [entry for kind in (Deploy.kind, Resume.kind, Retrain.kind) for entry in parts.outbox.open(kind)]
    for entry in sent:
        parts.outbox.done(entry)
    return [entry.key for entry in sent]


def announced(parts: Parts) -> bool:
    enough = parts.settings.retrain_after
    return announce(parts.labels, parts.texts, parts.datasets, parts.outbox, lambda: parts.seed, enough)


def a_promotion(parts: Parts, version: str = "2") -> None:
    """A candidate that the gate promoted, whose deployment's first event is on its way."""
    parts.outbox.intend(Promote(version))
    parts.outbox.intend(Deploy(version, attempt=1))


def test_where_nothing_was_cut_short_nothing_is_started(parts: Parts) -> None:
    assert restart_unfinished(parts, PATIENCE) == []
    assert parts.outbox.open() == []


def test_a_young_promotion_is_left_to_its_run(parts: Parts) -> None:
    a_promotion(parts)
    deliver_all(parts)
    let_pass(parts, 30)
    assert restart_unfinished(parts, PATIENCE) == []
    assert intended(parts, Deploy.kind) == []


def test_a_killed_promotion_is_started_again_so_often_and_then_reported(parts: Parts) -> None:
    a_promotion(parts)
    started = deliver_all(parts)
    for _ in range(12):
        let_pass(parts)
        restart_unfinished(parts, PATIENCE)
        started += deliver_all(parts)
    assert started == ["deploy:2:1", "deploy:2:2", "deploy:2:3"]
    assert parts.outbox.open() == []
    (told,) = parts.outbox.troubled()
    assert (told.key, told.last_error) == ("promote:2", "the deploy run ended without a word")


def test_a_promotion_that_failed_with_a_reason_is_tried_again_and_reported_with_it(parts: Parts) -> None:
    a_promotion(parts)
    started = deliver_all(parts)
    parts.outbox.failed(Promote("2"), "weights damaged")
    for _ in range(12):
        let_pass(parts)
        restart_unfinished(parts, PATIENCE)
        if again := deliver_all(parts):
            started += again
            parts.outbox.failed(Promote("2"), "weights damaged")
    assert started == ["deploy:2:1", "deploy:2:2", "deploy:2:3"]
    assert [intent.last_error for intent in parts.outbox.troubled()] == ["weights damaged"]


def test_a_promotion_whose_run_holds_the_lease_is_not_started_again(parts: Parts) -> None:
    a_promotion(parts)
    deliver_all(parts)
    let_pass(parts)
    with parts.leases.hold(DEPLOY_LEASE, RUN_LEASE):
        restart_unfinished(parts, PATIENCE)
        restart_unfinished(parts, PATIENCE)
        assert intended(parts, Deploy.kind) == []
    restart_unfinished(parts, PATIENCE)
    assert restart_unfinished(parts, PATIENCE) == ["promotion of version 2"]
    assert intended(parts, Deploy.kind) == ["deploy:2:2"]


def test_two_syncs_at_once_start_one_run(parts: Parts) -> None:
    a_promotion(parts)
    deliver_all(parts)
    parts.outbox.failed(Promote("2"), "killed")
    let_pass(parts)
    assert restart_unfinished(parts, PATIENCE) == ["promotion of version 2"]
    assert restart_unfinished(parts, PATIENCE) == []
    assert intended(parts, Deploy.kind) == ["deploy:2:2"]


def test_a_finished_promotion_is_left_alone(parts: Parts) -> None:
    a_promotion(parts)
    deliver_all(parts)
    parts.outbox.done(Promote("2"))
    let_pass(parts)
    assert restart_unfinished(parts, PATIENCE) == []
    assert parts.outbox.open() == []


def test_a_killed_training_is_started_again_on_its_dataset_so_often_and_then_reported(parts: Parts) -> None:
    dataset = build(parts)
    words, started = [], []
    for _ in range(8):
        let_pass(parts)
        words += restart_unfinished(parts, PATIENCE)
        started += deliver_all(parts)
    assert started == [f"resume:{dataset.version[:16]}:{attempt}" for attempt in (1, 2, 3)]
    assert words == [f"training of dataset {dataset.version[:12]}"] * 3
    (told,) = parts.problems.open()
    assert dataset.version[:12] in told.reason
    assert parts.outbox.troubled() == []


def test_a_dataset_of_other_seed_data_is_passed_over(parts: Parts, tmp_path: Path) -> None:
    build(parts)
    let_pass(parts)
    (tmp_path / "Sentences_50Agree.txt").write_text("profit rose@positive\nprofit fell@negative\n")
    now_another = Parts(parts.settings.model_copy(update={"seed_data": str(tmp_path)}))
    assert restart_unfinished(now_another, PATIENCE) == []
    now_another.close()
    assert len(restart_unfinished(parts, PATIENCE)) == 1


def test_where_the_seed_data_cannot_be_read_the_retrain_decides(parts: Parts, tmp_path: Path) -> None:
    build(parts)
    let_pass(parts)
    elsewhere = Parts(parts.settings.model_copy(update={"seed_data": str(tmp_path / "not mounted here")}))
    assert len(restart_unfinished(elsewhere, PATIENCE)) == 1
    elsewhere.close()


def test_a_training_that_was_given_up_is_no_trouble_once_it_is_judged(parts: Parts, tiny_model: Path) -> None:
    dataset = build(parts)
    for _ in range(8):
        let_pass(parts)
        restart_unfinished(parts, PATIENCE)
        deliver_all(parts)
    assert len(problems(parts)) == 1
    decide(parts, dataset, a_verdict(registered(parts, tiny_model, dataset).version, promoted=False))
    restart_unfinished(parts, PATIENCE)
    assert problems(parts) == []


def test_a_training_that_may_still_begin_is_not_started_again(parts: Parts) -> None:
    build(parts)
    assert restart_unfinished(parts, PATIENCE) == []
    let_pass(parts)
    assert len(restart_unfinished(parts, PATIENCE)) == 1
    let_pass(parts, 30)
    assert restart_unfinished(parts, PATIENCE) == []


def test_a_training_whose_run_holds_the_lease_is_not_started_again(parts: Parts) -> None:
    build(parts)
    let_pass(parts)
    with parts.leases.hold(RETRAIN_LEASE, RUN_LEASE):
        assert restart_unfinished(parts, PATIENCE) == []
    assert len(restart_unfinished(parts, PATIENCE)) == 1


def test_a_judged_dataset_is_finished(parts: Parts) -> None:
    dataset = build(parts)
    parts.datasets.mark_judged(dataset.version)
    let_pass(parts)
    assert restart_unfinished(parts, PATIENCE) == []


def test_enough_labels_whose_event_led_to_no_dataset_are_announced_anew(parts: Parts) -> None:
    for index in range(3):
        answer(parts, sentence(index, "sharply dropped"))
    assert announced(parts)
    assert deliver_all(parts) == ["retrain:0"]
    assert not announced(parts)
    assert restart_unfinished(parts, PATIENCE) == []
    let_pass(parts)
    assert restart_unfinished(parts, PATIENCE) == ["retrain with the labels since change 0"]
    assert intended(parts, Resume.kind) == ["resume:0:1"]


@pytest.mark.parametrize("sent", [False, True])
def test_labels_that_are_not_enough_start_nothing(parts: Parts, sent: bool) -> None:
    if sent:  # an event that Prefect has not taken yet is sent by the same sync, not doubled
        parts.outbox.intend(Retrain(0, labels=3))
    answer(parts, sentence(1, "sharply dropped"))
    let_pass(parts)
    assert restart_unfinished(parts, PATIENCE) == []
    assert intended(parts, Resume.kind) == []


def restart_after_cancelling(parts: Parts, at: datetime, labels: int = 0) -> list[str]:
    cancelled = Cancelled(at, labels, enough=3)
    return restart_training(
        parts.outbox, parts.problems, parts.leases, parts.datasets, lambda: parts.seed, PATIENCE, cancelled
    )


def test_a_cancelled_training_stays_cancelled_and_is_shown(parts: Parts) -> None:
    dataset, cancelled = build(parts), now()
    let_pass(parts)
    for _ in range(4):
        assert restart_after_cancelling(parts, cancelled) == []
    assert intended(parts, Resume.kind) == []
    (told,) = parts.problems.open()
    assert f"training of dataset {dataset.version[:12]} was cancelled; `finloop retrain`" in told.reason


def test_a_training_that_a_person_started_after_the_cancelled_one_is_resumed_when_it_crashes(parts: Parts) -> None:
    build(parts)
    cancelled = now()
    let_pass(parts)
    restart_after_cancelling(parts, cancelled)
    assert len(restart_unfinished(parts, PATIENCE)) == 1, "the newest run is no cancelled one any more"
    assert parts.problems.open() == []


def test_a_training_that_was_cancelled_twice_is_shown_once(parts: Parts) -> None:
    build(parts)
    first = now()
    let_pass(parts)
    restart_after_cancelling(parts, first)
    restart_after_cancelling(parts, first + timedelta(minutes=5))
    assert len(parts.problems.open()) == 1


def test_an_older_cancellation_does_not_hold_up_newer_work(parts: Parts) -> None:
    build(parts)
    let_pass(parts)
    assert len(restart_after_cancelling(parts, now() - timedelta(hours=1))) == 1


def test_new_labels_start_a_retrain_that_was_cancelled_before_its_dataset(parts: Parts) -> None:
    parts.outbox.intend(Retrain(0, labels=3))
    deliver_all(parts)
    let_pass(parts)
    cancelled = now()
    assert restart_after_cancelling(parts, cancelled, labels=3) == []
    assert restart_after_cancelling(parts, cancelled, labels=5) == []
    assert len(restart_after_cancelling(parts, cancelled, labels=6)) == 1


def test_a_cancelled_training_is_no_trouble_once_its_dataset_is_judged(parts: Parts, tiny_model: Path) -> None:
    dataset = build(parts)
    let_pass(parts)
    restart_after_cancelling(parts, now())
    decide(parts, dataset, a_verdict(registered(parts, tiny_model, dataset).version, promoted=False))
    assert problems(parts) == []


def test_a_cancelled_promotion_is_given_up_and_shown(parts: Parts) -> None:
    a_promotion(parts)
    deliver_all(parts)
    let_pass(parts)
    assert restart_promotions(parts.outbox, parts.leases, PATIENCE, cancelled_at=now()) == []
    assert parts.outbox.open(Promote.kind) == []
    assert "cancelled; `finloop deploy 2`" in str(parts.outbox.troubled()[0].last_error)


def test_a_promotion_that_began_after_a_cancelled_one_goes_on(parts: Parts) -> None:
    cancelled = now() - timedelta(hours=1)
    a_promotion(parts)
    deliver_all(parts)
    let_pass(parts)
    parts.outbox.failed(Promote("2"), "killed")
    assert restart_promotions(parts.outbox, parts.leases, PATIENCE, cancelled) == ["promotion of version 2"]


def test_times_are_counted_from_now(parts: Parts) -> None:
    assert (now() - build(parts).created_at).total_seconds() < 60


def restarted_with(parts: Parts, inputs: str) -> list[str]:
    restart = (parts.outbox, parts.problems, parts.leases, parts.datasets, lambda: parts.seed, PATIENCE)
    return restart_training(*restart, inputs=inputs)


def test_a_training_that_its_inputs_ended_is_started_again_with_other_inputs_only(parts: Parts) -> None:
    build(parts)
    with pytest.raises(BadInput), unusable_noted(parts.problems, parts.datasets, "a base without a tokenizer"):
        raise BadInput("the base model has no tokenizer", Part.BASE_MODEL)
    let_pass(parts)
    assert restarted_with(parts, "a base without a tokenizer") == []
    assert [problem.kind for problem in parts.problems.open()] == [UNUSABLE]
    assert len(restarted_with(parts, "minilm")) == 1


@pytest.mark.parametrize("error", [Unreachable(Part.BASE_MODEL, "hub", "away"), OSError("no space left")])
def test_a_training_that_ended_for_another_reason_is_started_again_with_the_same_inputs(
    parts: Parts, error: Exception
) -> None:
    build(parts)
    with pytest.raises(type(error)), unusable_noted(parts.problems, parts.datasets, "minilm"):
        raise error
    let_pass(parts)
    assert len(restarted_with(parts, "minilm")) == 1


def test_of_refused_inputs_the_newest_are_the_problem_until_a_verdict(parts: Parts) -> None:
    for inputs in ("first", "second", "first"):
        with pytest.raises(BadInput, match=inputs), unusable_noted(parts.problems, parts.datasets, inputs):
            raise BadInput(inputs)
    assert [problem.reason for problem in parts.problems.open(UNUSABLE)] == ["first"]
    end_unusable(parts.problems)
    assert parts.problems.open() == []
