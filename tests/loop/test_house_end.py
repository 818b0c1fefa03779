"""The last of the house that all tests of this folder use: no text is left in it, then `finloop up` is killed."""

import io
import signal
import time
from pathlib import Path

from rich.console import Console

from deployments.demo.client import Client
from deployments.demo.console import Steps
from deployments.demo.rounds import Rounds
from deployments.ports import port_is_free
from deployments.stack import Stack
from flows import labelwork
from storage.records import Purpose, TaskState
from tests.loop.conftest import RETRAIN_AFTER, Answered
from tests.loop.house import SERVED, House, until


def test_a_round_that_finds_no_text_left_leaves_the_last_verdict(
    house: House, answered: Answered, tmp_path: Path
) -> None:
    """The tiny model is always refused, so that there would be a further round."""
    house.run("select", policy={"size": 5000})
    asked = house.parts.tasks.counts()[Purpose.SELECT][TaskState.SENT]
    assert RETRAIN_AFTER <= asked < 4 * RETRAIN_AFTER, "enough for a round, too few for five"
    console = Console(file=io.StringIO(), width=200)
    project = labelwork.our_project(house.parts)
    with Stack([], tmp_path) as stack:
        rounds = Rounds(RETRAIN_AFTER, 0, console, Steps(console), house.parts, stack, house.runs, project)
        done = rounds.until_promoted(5, Client(house.settings.needed("serving_url"), [SERVED]))
    assert not done.promoted
    assert done.candidate == house.parts.registry.versions()[-1]
    assert done.runs["retrain"].state == "COMPLETED"
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert said.count("retrain ") == asked // RETRAIN_AFTER
    missing = RETRAIN_AFTER - asked % RETRAIN_AFTER
    assert f"No further round: {missing} labels are missing and no text is left to ask about" in said


def test_ten_seconds_after_a_kill_of_up_nothing_of_it_lives(house: House) -> None:
    """The last of this folder: the house is gone afterwards."""
    assert len(house.processes()) > 6
    assert not any(port_is_free(port) for port in house.ports())
    house.process.send_signal(signal.SIGKILL)
    house.process.wait(5)
    killed_at = time.monotonic()
    until(lambda: not house.processes(), f"still alive: {house.processes()}", 10)
    assert all(port_is_free(port) for port in house.ports())
    assert time.monotonic() - killed_at < 10
