import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from storage.clock import now
from storage.labels.annotations import Labels
from storage.labels.tasks import Tasks
from storage.records import Prediction, Purpose, TaskState, Text
from tests.schemes import named
from tests.storage.conftest import HERE, NOON, PROJECT, SERVER, a_text, an_annotation, task_of
from tests.storage.processes import at_once

MINUTE = timedelta(minutes=1)
GONE = timedelta(seconds=-1)


def reserve(
    tasks: Tasks, texts: list[Text], batch: str = "b", owner: str = "me", lasts: timedelta = MINUTE
) -> list[str]:
    return [task.text_id for task in tasks.reserve(texts, Purpose.SELECT, batch, owner, lasts)]


def counted(tasks: Tasks, state: TaskState) -> int:
    return tasks.counts().get(Purpose.SELECT, {}).get(state, 0)


def test_a_text_is_reserved_once_whoever_asks_again(tasks: Tasks) -> None:
    first, second, third = a_text(), a_text(), a_text()
    assert set(reserve(tasks, [first, second], "one")) == {first.text_id, second.text_id}
    assert reserve(tasks, [third, second, third, first], "two") == [third.text_id]
    assert tasks.known([first.text_id, a_text().text_id]) == {first.text_id}
    assert set(tasks.text_ids()) == {first.text_id, second.text_id, third.text_id}


def test_a_reservation_keeps_the_text_and_its_prediction(tasks: Tasks) -> None:
    said = Prediction("negative", named(0.1, 0.2, 0.7), named(-1.5, 0.1 + 0.2, 2.25), 0.7, 0.5, "3", NOON)
    text = Text("a" * 32, "A loss – “narrowed”", "s" * 300, audit=False, ingested_at=NOON, prediction=said)
    (task,) = tasks.reserve([text], Purpose.AUDIT, "b", "me", MINUTE)
    assert (task.text, task.prediction, task.purpose) == (text.text, said, Purpose.AUDIT)
    assert (task.state, task.task_id) == (TaskState.RESERVED, None)
    assert task == tasks.get(text.text_id)
    assert tasks.batch("b") == [task]


def test_a_reservation_keeps_why_and_in_which_order_the_texts_were_chosen(tasks: Tasks) -> None:
    first, second, later = a_text(), a_text(), a_text()
    why = {"because": "unsure", "score": 0.1 + 0.2}
    tasks.reserve([second, first], Purpose.SELECT, "b", "me", MINUTE, reasons={second.text_id: why})
    tasks.reserve([first, later], Purpose.SELECT, "b", "me", MINUTE, first=3)
    kept = {task.text_id: (task.worth, task.reason) for task in tasks.batch("b")}
    assert kept == {second.text_id: (1, why), first.text_id: (2, None), later.text_id: (4, None)}


def test_a_lost_text_that_is_asked_again_keeps_its_reason(tasks: Tasks) -> None:
    text, why = a_text(), {"because": "unsure"}
    tasks.reserve([text], Purpose.SELECT, "b", "me", MINUTE, reasons={text.text_id: why})
    tasks.mark_sent(HERE, {text.text_id: 1})
    tasks.mark_missing(HERE, [1])
    tasks.reserve_again([text.text_id], "c", "me", MINUTE)
    (again,) = tasks.batch("c")
    assert (again.reason, again.worth) == (why, 1)


def test_a_new_order_and_prediction_reach_the_waiting_tasks_alone(
    tasks: Tasks, labels: Labels, sent: Callable[..., str]
) -> None:
    waiting, answered, unsent = sent(), sent(), a_text()
    reserve(tasks, [unsent], uuid.uuid4().hex)
    labels.record(an_annotation(answered))
    said = Prediction("negative", named(0.1, 0.2, 0.7), named(-1.5, 0.1 + 0.2, 2.25), 0.7, 0.5, "3", NOON)
    for _ in range(2):  # as after a crash
        tasks.rank([(answered, said), (unsent.text_id, said), (waiting, said)])
    found = {text_id: tasks.get(text_id) for text_id in (waiting, answered, unsent.text_id)}
    assert [(task.worth, task.prediction) for task in found.values() if task] == [(3, said), (1, None), (1, None)]


def test_nothing_to_reserve_reserves_nothing(tasks: Tasks) -> None:
    assert tasks.reserve([], Purpose.SELECT, "b", "me", MINUTE) == []


RESERVE = """
import json, random, sys
from datetime import timedelta
from storage.clock import now
from storage.sql.database import open_database
from storage.records import Purpose, Text
from storage.labels.tasks import Tasks
url, batch = sys.argv[1:]
texts = [Text(f"{number:032x}", "text", "feed", False, now()) for number in range(1000)]
random.Random(batch).shuffle(texts)
tasks = Tasks(open_database(url))
tasks.known([])
print("ready", flush=True)
sys.stdin.readline()
mine = [tasks.reserve(texts[start:start + 250], Purpose.SELECT, f"{batch} {start}", batch, timedelta(minutes=1))
        for start in range(0, 1000, 250)]
print(json.dumps([task.text_id for part in mine for task in part]))
"""


def test_two_processes_that_reserve_at_once_share_no_text(engine: Engine, database_url: str) -> None:
    mine, theirs = map(json.loads, at_once(RESERVE, [[database_url, "one"], [database_url, "two"]]))
    assert sorted(mine + theirs) == [f"{number:032x}" for number in range(1000)]


TAKE_OVER = """
import json, sys
from datetime import timedelta
from storage.sql.database import open_database
from storage.labels.tasks import Tasks
tasks = Tasks(open_database(sys.argv[1]))
tasks.known([])
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps(tasks.take_over(sys.argv[2], timedelta(minutes=1))))
"""


def test_an_abandoned_batch_is_taken_over_by_one_process_only(engine: Engine, database_url: str) -> None:
    for batch in ("one", "two", "three"):
        reserve(Tasks(engine), [a_text() for _ in range(200)], batch, lasts=GONE)
    found = [json.loads(output) for output in at_once(TAKE_OVER, [[database_url, owner] for owner in "abc"])]
    assert sorted(batch for batches in found for batch in batches) == ["one", "three", "two"]


def test_a_batch_is_left_to_its_sender_while_the_lease_lasts(tasks: Tasks) -> None:
    reserve(tasks, [a_text()], "sending")
    assert tasks.take_over("another", MINUTE) == []


def test_a_sender_that_renews_keeps_its_batch_and_learns_when_it_is_lost(tasks: Tasks) -> None:
    reserve(tasks, [a_text()], "slow", "slow sender", lasts=GONE)
    assert tasks.renew("slow", "slow sender", MINUTE)
    assert tasks.take_over("another", GONE) == []
    assert tasks.renew("slow", "slow sender", GONE)
    assert tasks.take_over("another", MINUTE) == ["slow"]
    assert not tasks.renew("slow", "slow sender", MINUTE)


def test_a_sent_task_has_its_address_and_no_sender(tasks: Tasks, sent: Callable[..., str]) -> None:
    text_id = sent()
    (task,) = tasks.sent()
    assert (task.text_id, task.state) == (text_id, TaskState.SENT)
    assert (task.server, task.project_id, task.epoch, task.task_id) == (SERVER, PROJECT, HERE.epoch, task_of(text_id))
    assert tasks.take_over("another", MINUTE) == []


def test_the_first_task_id_of_a_text_stands(tasks: Tasks, sent: Callable[..., str]) -> None:
    text_id = sent()
    tasks.mark_sent(HERE, {text_id: 99})
    tasks.mark_sent(HERE, {})
    task = tasks.get(text_id)
    assert task is not None
    assert task.task_id == task_of(text_id)


@pytest.mark.parametrize("label", ["neutral", None])
def test_an_answer_that_overtakes_its_sender_names_the_task(tasks: Tasks, labels: Labels, label: str | None) -> None:
    text = a_text()
    reserve(tasks, [text], lasts=GONE)
    labels.record(an_annotation(text.text_id, label))
    before = tasks.get(text.text_id)
    assert before is not None
    assert before.state == (TaskState.ANSWERED if label else TaskState.SKIPPED)
    assert tasks.take_over("another", MINUTE) == []
    tasks.mark_sent(HERE, {text.text_id: task_of(text.text_id)})
    assert tasks.get(text.text_id) == before


def test_a_task_that_is_gone_is_reported_until_it_is_found(tasks: Tasks, sent: Callable[..., str]) -> None:
    one, two = sent(), sent()
    tasks.mark_missing(HERE, [task_of(one), task_of(two), 7])
    assert tasks.missing() == 2
    tasks.mark_found(HERE, {two: 8})
    assert [(task.text_id, task.task_id) for task in tasks.sent() if not task.missing] == [(two, 8)]
    tasks.mark_missing(replace(HERE, id=PROJECT + 1), [8])
    tasks.mark_missing(replace(HERE, epoch="another"), [8])
    assert tasks.missing() == 1
    assert (tasks.missing(since=now() - MINUTE), tasks.missing(since=now() + MINUTE)) == (1, 0)


def test_only_a_missing_task_without_an_answer_is_reserved_again_and_once(
    tasks: Tasks, labels: Labels, sent: Callable[..., str]
) -> None:
    lost, answered, skipped, waiting = sent(), sent(), sent(), sent()
    labels.record(an_annotation(answered))
    labels.record(an_annotation(skipped, None))
    tasks.mark_missing(HERE, [task_of(text_id) for text_id in (lost, answered, skipped)])
    assert [task.text_id for task in tasks.lost(SERVER)] == [lost]
    for batch in ("first", "second"):
        tasks.reserve_again([lost, answered, skipped, waiting], batch, "me", MINUTE)
    (again,) = tasks.batch("first")
    assert (again.text_id, again.state, again.task_id, again.missing) == (lost, TaskState.RESERVED, None, False)
    assert (tasks.batch("second"), tasks.lost(SERVER), tasks.missing()) == ([], [], 2)


def test_only_a_task_that_waits_is_withdrawn_and_a_kept_one_waits_again(
    tasks: Tasks, labels: Labels, sent: Callable[..., str]
) -> None:
    waiting, answered, unsent = sent(), sent(), reserve(tasks, [a_text()])[0]
    labels.record(an_annotation(answered))
    tasks.withdraw([waiting, answered, unsent])
    assert [task.text_id for task in tasks.withdrawn(HERE)] == [waiting]
    assert (tasks.open(SERVER, PROJECT), tasks.lost(SERVER)) == ([], [])
    assert tasks.unanswered(SERVER, PROJECT, Purpose.SELECT) == 1  # the reserved one
    tasks.keep([waiting, answered])
    assert [task.text_id for task in tasks.open(SERVER, PROJECT)] == [waiting]
    assert counted(tasks, TaskState.ANSWERED) == counted(tasks, TaskState.RESERVED) == 1


def test_a_withdrawn_task_that_is_gone_is_not_missing_and_not_asked_again(
    tasks: Tasks, sent: Callable[..., str]
) -> None:
    text_id = sent()
    tasks.withdraw([text_id])
    tasks.mark_gone([text_id])
    assert (tasks.withdrawn(HERE), tasks.lost(SERVER), tasks.missing()) == ([], [], 0)
    tasks.reserve_again([text_id], "c", "me", MINUTE)
    assert counted(tasks, TaskState.WITHDRAWN) == 1


@pytest.mark.parametrize("label", ["positive", None])
def test_an_answer_makes_a_withdrawn_task_answered_and_an_empty_one_does_not(
    tasks: Tasks, labels: Labels, sent: Callable[..., str], label: str | None
) -> None:
    text_id = sent()
    tasks.withdraw([text_id])
    labels.record(replace(an_annotation(text_id, None, number=1), open=True))
    assert counted(tasks, TaskState.WITHDRAWN) == 1
    labels.record(an_annotation(text_id, label, number=2))
    assert counted(tasks, TaskState.ANSWERED if label else TaskState.SKIPPED) == 1


def test_a_text_that_is_gone_leaves_the_text_that_has_its_number_now(tasks: Tasks, sent: Callable[..., str]) -> None:
    gone, there = sent(), sent()
    tasks.mark_found(HERE, {there: task_of(gone)})
    tasks.mark_gone([gone])
    assert [task.text_id for task in tasks.open(SERVER, PROJECT)] == [there]


def test_a_task_of_an_earlier_project_or_epoch_is_left_behind(tasks: Tasks, sent: Callable[..., str]) -> None:
    sent()
    tasks.mark_left_behind(HERE)
    tasks.mark_left_behind(replace(HERE, server="http://other", epoch="next"))
    assert tasks.missing() == 0
    tasks.mark_left_behind(replace(HERE, epoch="next"))
    assert tasks.missing() == 1


def test_open_is_what_was_sent_has_no_answer_and_is_still_there(
    tasks: Tasks, labels: Labels, sent: Callable[..., str]
) -> None:
    waiting, gone = sent(), sent()
    labels.record(an_annotation(sent()))
    labels.record(an_annotation(sent(), None))
    reserve(tasks, [a_text()], uuid.uuid4().hex)
    tasks.mark_missing(HERE, [task_of(gone)])
    assert [task.text_id for task in tasks.open(SERVER, PROJECT)] == [waiting]
    assert tasks.open(SERVER, PROJECT + 1) == []
    assert (tasks.open_elsewhere(SERVER), tasks.open_elsewhere("http://other")) == ({}, {SERVER: 1})


def test_counts_are_by_purpose_and_state(tasks: Tasks, labels: Labels, sent: Callable[..., str]) -> None:
    sent(Purpose.AUDIT)
    labels.record(an_annotation(sent()))
    labels.record(an_annotation(sent(), None))
    reserve(tasks, [a_text()], uuid.uuid4().hex)
    assert tasks.counts() == {
        Purpose.AUDIT: {TaskState.SENT: 1},
        Purpose.SELECT: {TaskState.ANSWERED: 1, TaskState.SKIPPED: 1, TaskState.RESERVED: 1},
    }


@pytest.mark.timeout(120)  # in statements of many rows each it takes seconds
def test_ten_thousand_texts_are_reserved_and_sent_together(tasks: Tasks) -> None:
    texts = [a_text() for _ in range(10_000)]
    assert len(reserve(tasks, texts)) == 10_000
    tasks.mark_sent(HERE, {text.text_id: number for number, text in enumerate(texts)})
    tasks.mark_found(HERE, {text.text_id: number + 1 for number, text in enumerate(texts)})
    assert len(tasks.known([text.text_id for text in texts])) == 10_000
