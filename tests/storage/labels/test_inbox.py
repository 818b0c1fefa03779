import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from storage.labels.inbox import Inbox, InboxState
from storage.sql.database import open_database


@pytest.fixture
def inbox(engine: Engine) -> Inbox:
    return Inbox(engine)


def test_webhooks_wait_in_the_order_in_which_they_came(inbox: Inbox) -> None:
    ids = [inbox.put("ANNOTATION_CREATED", {"number": number}) for number in range(5)]
    waiting = inbox.waiting(limit=3)
    assert [delivery.id for delivery in waiting] == ids[:3]
    assert [delivery.payload for delivery in waiting] == [{"number": 0}, {"number": 1}, {"number": 2}]


def test_a_closed_webhook_waits_no_more_and_is_counted(inbox: Inbox) -> None:
    first, second, third = (inbox.put("ANY", {}) for _ in range(3))
    inbox.close(first, InboxState.DONE)
    inbox.close(second, InboxState.IGNORED, "another project")
    assert [delivery.id for delivery in inbox.waiting()] == [third]
    assert inbox.counts() == {"done": 1, "ignored": 1, "new": 1}


def test_the_first_word_on_a_webhook_stands(inbox: Inbox) -> None:
    row = inbox.put("ANY", {})
    inbox.close(row, InboxState.DONE)
    inbox.close(row, InboxState.FAILED, "a second worker came too late")
    assert inbox.counts() == {"done": 1}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9), st.lists, max_leaves=4
        ),
    )
)
def test_any_json_comes_back_as_it_came(inbox: Inbox, payload: dict[str, object]) -> None:
    row = inbox.put("ANY", payload)
    (delivery,) = inbox.waiting()
    assert (delivery.id, delivery.payload) == (row, payload)
    inbox.close(row, InboxState.DONE)


@pytest.mark.parametrize("odd", ["\x00", "\ud800", "ü" * 100, "“"])
def test_no_character_keeps_a_webhook_from_its_row(inbox: Inbox, odd: str) -> None:
    inbox.put(odd, {"text": odd})
    (delivery,) = inbox.waiting()
    assert delivery.payload == {"text": odd}


WRITE = """
import sys
from storage.sql.database import open_database
from storage.labels.inbox import Inbox
inbox = Inbox(open_database(sys.argv[1]))
for number in range(10**6):
    print(inbox.put("ANNOTATION_CREATED", {"number": number}), flush=True)
"""


def test_an_acknowledged_webhook_survives_sigkill_of_its_writer(engine: Engine, database_url: str) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITE, database_url], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().splitlines()]
    assert writer.wait(10) == -signal.SIGKILL
    writer.stdout.close()
    fresh = open_database(database_url)
    stored = {delivery.id: delivery.payload["number"] for delivery in Inbox(fresh).waiting(limit=10**6)}
    fresh.dispose()
    assert set(acknowledged) <= set(stored)
    assert [stored[row] for row in acknowledged] == list(range(len(acknowledged)))


def test_a_webhook_is_committed_when_put_returns(engine: Engine, database_url: str) -> None:
    row = Inbox(engine).put("ANY", {"a": 1})
    other = open_database(database_url)
    assert [delivery.id for delivery in Inbox(other).waiting()] == [row]
    other.dispose()


def test_many_receivers_put_at_once_and_none_fails(inbox: Inbox) -> None:
    rows: list[int] = []
    threads = [
        threading.Thread(target=lambda: rows.extend(inbox.put("ANY", json.loads("{}")) for _ in range(10)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(set(rows)) == 80
    assert inbox.counts() == {"new": 80}
