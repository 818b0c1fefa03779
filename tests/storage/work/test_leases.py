import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event

from storage.errors import Busy, Part, Unreachable
from storage.work.leases import Leases
from tests.storage.processes import REPOSITORY, at_once

MINUTE = timedelta(minutes=1)
GONE = timedelta(seconds=-1)


@pytest.fixture
def leases(engine: Engine) -> Leases:
    return Leases(engine)


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def test_one_holder_at_a_time(leases: Leases) -> None:
    assert leases.acquire("retrain", "one", MINUTE)
    assert not leases.acquire("retrain", "two", MINUTE)
    assert leases.acquire("deploy", "two", MINUTE)
    assert leases.acquire("retrain", "one", MINUTE), "one's own lease is lengthened"


def test_a_lease_that_was_given_back_is_free(leases: Leases) -> None:
    leases.acquire("retrain", "one", MINUTE)
    leases.release("retrain", "two")
    assert leases.held("retrain")
    leases.release("retrain", "one")
    assert not leases.held("retrain")
    assert leases.acquire("retrain", "two", MINUTE)


def test_an_expired_lease_passes_to_another_and_is_lost_for_good(leases: Leases) -> None:
    leases.acquire("retrain", "one", GONE)
    assert not leases.held("retrain")
    assert leases.acquire("retrain", "two", GONE)
    assert not leases.renew("retrain", "one", MINUTE)
    leases.release("retrain", "two")
    assert not leases.renew("retrain", "one", MINUTE)


RACE = """
import sys, uuid
from datetime import timedelta
from storage.sql.database import open_database
from storage.work.leases import Leases
leases = Leases(open_database(sys.argv[1]))
leases.held("any")
print("ready", flush=True)
sys.stdin.readline()
print(sum(leases.acquire(f"lease {number}", uuid.uuid4().hex, timedelta(minutes=1)) for number in range(50)))
"""


def test_of_processes_that_ask_at_once_one_gets_the_lease(engine: Engine, database_url: str) -> None:
    assert sum(map(int, at_once(RACE, [[database_url]] * 2))) == 50


def test_a_second_block_is_refused_while_the_first_runs(leases: Leases) -> None:
    with leases.hold("retrain", MINUTE), pytest.raises(Busy, match="retrain"), leases.hold("retrain", MINUTE):
        pytest.fail("both hold the lease")
    with leases.hold("retrain", MINUTE):
        assert leases.held("retrain")
    assert not leases.held("retrain")


def test_a_block_that_waits_begins_when_the_first_ends(leases: Leases) -> None:
    leases.acquire("retrain", "one", MINUTE)
    threading.Timer(0.3, leases.release, ("retrain", "one")).start()
    with leases.hold("retrain", MINUTE, wait=timedelta(seconds=20)) as owner:
        assert leases.acquire("retrain", owner, MINUTE)


def test_a_failed_block_gives_its_lease_back(leases: Leases) -> None:
    with pytest.raises(ZeroDivisionError), leases.hold("retrain", MINUTE):
        raise ZeroDivisionError
    assert not leases.held("retrain")


def test_the_heartbeat_keeps_a_lease_beyond_its_length(leases: Leases) -> None:
    with leases.hold("retrain", timedelta(seconds=1.5)):
        begun = time.monotonic()
        while time.monotonic() - begun < 4.0:
            assert not leases.acquire("retrain", "another", MINUTE)
            time.sleep(0.1)


def test_the_heartbeat_does_not_win_back_a_lease_that_another_had(leases: Leases) -> None:
    with leases.hold("retrain", timedelta(seconds=0.9)) as owner:
        leases.release("retrain", owner)
        assert leases.acquire("retrain", "another", MINUTE)
        leases.release("retrain", "another")
        time.sleep(1.2)
        assert not leases.held("retrain")


def test_the_heartbeat_outlives_a_database_that_is_away_for_a_moment(engine: Engine, leases: Leases) -> None:
    failures = [Unreachable(Part.DATABASE, "here", "away")]

    def away(*_: object) -> None:
        if failures:
            raise failures.pop()

    with leases.hold("retrain", timedelta(seconds=1.5)):
        event.listen(engine, "before_cursor_execute", away)
        wait_until(lambda: not failures)
        time.sleep(2.5)
        assert leases.held("retrain")


HOLD = """
import sys, time
from datetime import timedelta
from storage.sql.database import open_database
from storage.work.leases import Leases
with Leases(open_database(sys.argv[1])).hold("retrain", timedelta(seconds=2)):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_lease_of_a_killed_holder_is_free_after_its_expiry(leases: Leases, database_url: str) -> None:
    command = [sys.executable, "-c", HOLD, database_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Busy), leases.hold("retrain", MINUTE):
            pytest.fail("both hold the lease")
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(10)
        wait_until(lambda: leases.acquire("retrain", "another", MINUTE))
