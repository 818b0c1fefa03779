"""Webhooks come in any order, more than once, and to several processes at the same time."""

import random
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from storage.labels.annotations import Labels
from storage.labels.tasks import Tasks
from storage.records import AnnotationKey, Purpose, TaskState
from storage.sql.database import open_database
from tests.schemes import LABELS
from tests.storage.conftest import HERE, PROJECT, SERVER, a_text, an_annotation, label_of, majority, state_of, task_of
from tests.storage.processes import at_once

Event = tuple[int, int | None]
"""Annotation number, and the revision of a creation or update; a deletion has none."""

EVENTS = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3) | st.none()), min_size=1, max_size=8)


def answer(number: int, revision: int) -> str | None:
    """Every revision has one content, as on a real server."""
    answers: tuple[str | None, ...] = (*LABELS, None)
    return answers[(number * 7 + revision * 5) % 4]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, seed=st.integers(0, 2**32))
def test_any_order_and_redelivery_of_the_same_events_ends_in_the_same_label(
    engine: Engine, labels: Labels, tasks: Tasks, events: list[Event], seed: int
) -> None:
    text = a_text()
    tasks.reserve([text], Purpose.SELECT, uuid.uuid4().hex, "me", timedelta(minutes=1))
    tasks.mark_sent(HERE, {text.text_id: task_of(text.text_id)})
    base = task_of(text.text_id)
    generator = random.Random(seed)
    delivered = events + generator.choices(events, k=3)
    generator.shuffle(delivered)
    for number, revision in delivered:
        if revision is None:
            labels.bury(AnnotationKey(SERVER, PROJECT, base + number))
        else:
            labels.record(an_annotation(text.text_id, answer(number, revision), base + number, revision))
    buried = {number for number, revision in events if revision is None}
    last: dict[int, int] = {}
    for number, revision in events:
        if revision is not None and number not in buried:
            last[number] = max(revision, last.get(number, 0))
    alive = [an_annotation(text.text_id, answer(n, r), base + n, r) for n, r in sorted(last.items())]
    assert labels.current(text.text_id) == alive
    assert label_of(labels, text.text_id) == majority(alive)
    expected = TaskState.SENT if not alive else TaskState.ANSWERED
    if alive and all(one.label is None for one in alive):
        expected = TaskState.SKIPPED
    assert state_of(tasks, text.text_id) == expected


RACE = """
import sys
from datetime import timedelta
from storage.sql.database import open_database
from storage.sql.database import open_database
from storage.labels.annotations import Labels
from tests.storage.conftest import an_annotation, majority
labels = Labels(open_database(sys.argv[1]), majority)
labels.watermark()
texts = sys.argv[3].split(",")
print("ready", flush=True)
sys.stdin.readline()
for text_id in texts:
    if sys.argv[2] == "record":
        labels.record(an_annotation(text_id))
    else:
        labels.bury(an_annotation(text_id).key)
"""


def test_a_deletion_beside_its_creation_is_never_lost(
    engine: Engine, database_url: str, labels: Labels, sent: Callable[..., str]
) -> None:
    texts = [sent() for _ in range(40)]
    at_once(RACE, [[database_url, verb, ",".join(texts)] for verb in ("record", "bury")])
    assert [text_id for text_id in texts if label_of(labels, text_id) is not None] == []


def test_no_label_appears_below_a_watermark_that_was_read(
    engine: Engine, database_url: str, labels: Labels, sent: Callable[..., str]
) -> None:
    first, second = sent(), sent()
    numbered, go_on = threading.Event(), threading.Event()
    slow = open_database(database_url)

    def pause(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO label "):
            numbered.set()
            assert go_on.wait(30)

    event.listen(slow, "after_cursor_execute", pause)
    threads = [
        threading.Thread(target=Labels(slow, majority).record, args=(an_annotation(first),)),
        threading.Thread(target=labels.record, args=(an_annotation(second),)),
    ]
    threads[0].start()
    assert numbered.wait(30)
    threads[1].start()
    threads[1].join(0.5)
    during = labels.snapshot()
    go_on.set()
    for thread in threads:
        thread.join(30)
    slow.dispose()
    assert during.watermark == len(during.trainable), "the second label was seen while the first was still to come"
    assert [label.text_id for label in labels.snapshot().trainable] == [first, second]
