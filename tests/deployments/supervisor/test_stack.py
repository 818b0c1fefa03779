"""The supervisor, with small real processes: whatever happens to it or to them, nothing is left behind."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deployments.supervisor.descendants import marked
from deployments.supervisor.ports import choose_port, port_is_free
from deployments.supervisor.process import EventKind, Process, ProcessEvent, ProcessFailed
from deployments.supervisor.stack import Stack

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")
STUBBORN = textwrap.dedent("""
    import signal, sys, time, pathlib
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pathlib.Path(sys.argv[1]).touch()
    time.sleep(600)
""")
RUNAWAY = textwrap.dedent("""
    import subprocess, sys, time
    # A grandchild in a session of its own that ignores SIGTERM, whose parent is gone: as far away as can be.
    middle = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', *sys.argv[1:]], start_new_session=True)"
    subprocess.run([sys.executable, "-c", middle, *sys.argv[1:]], start_new_session=True)
    time.sleep(600)
""")


def server(name: str, port: int, needs: tuple[str, ...] = ()) -> Process:
    argv = (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    return Process(name, argv, ready=f"http://127.0.0.1:{port}/", port=port, needs=needs, ready_deadline=30)


def script(name: str, source: str, *arguments: str) -> Process:
    return Process(name, (sys.executable, "-c", source, *arguments))


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


@pytest.fixture
def events() -> list[ProcessEvent]:
    return []


@pytest.fixture
def left_behind() -> Iterator[list[str]]:
    """Ids of stacks: a test that fails must not leave their processes to the next one."""
    stacks: list[str] = []
    yield stacks
    for process in [process for stack in stacks for process in marked(stack)]:
        process.kill()


def kinds(events: list[ProcessEvent], process: str) -> list[EventKind]:
    return [event.kind for event in events if event.process == process]


def test_a_process_is_ready_when_its_address_answers_and_gone_afterwards(
    tmp_path: Path, events: list[ProcessEvent]
) -> None:
    port = choose_port()
    with Stack([server("web", port)], tmp_path, events.append) as stack:
        assert not port_is_free(port)
    assert port_is_free(port)
    assert marked(stack.id) == []
    assert kinds(events, "web") == [EventKind.STARTED, EventKind.READY, EventKind.STOPPED]
    assert "GET / HTTP/1.1" in (tmp_path / "web.log").read_text()


def test_parts_start_after_their_needs_and_stop_before_them(tmp_path: Path, events: list[ProcessEvent]) -> None:
    first, second = choose_port(), choose_port()
    parts = [Process("worker", SLEEP, needs=("api",)), server("api", second, ("base",)), server("base", first)]
    with Stack(parts, tmp_path, events.append):
        pass
    ready = [event.process for event in events if event.kind is EventKind.READY]
    stopped = [event.process for event in events if event.kind is EventKind.STOPPED]
    assert ready == ["base", "api", "worker"]
    assert stopped == ["worker", "api", "base"]


def test_a_process_is_prepared_once_when_its_needs_are_ready(tmp_path: Path, events: list[ProcessEvent]) -> None:
    port, seen = choose_port(), list[bool]()
    api = server("api", port)
    worker = Process("worker", SLEEP, needs=("api",), prepare=lambda: seen.append(port_is_free(port)))
    with Stack([api, worker], tmp_path, events.append) as stack:
        os.kill(stack.pid("worker") or 0, signal.SIGKILL)
        until(lambda: kinds(events, "worker").count(EventKind.READY) == 2)
    assert seen == [False]


def test_a_process_that_dies_is_named_and_restarted(tmp_path: Path, events: list[ProcessEvent]) -> None:
    port = choose_port()
    with Stack([server("web", port)], tmp_path, events.append) as stack:
        os.kill(stack.pid("web") or 0, signal.SIGKILL)
        until(lambda: kinds(events, "web").count(EventKind.READY) == 2)
        stack.check()
        assert not port_is_free(port)
    assert kinds(events, "web")[2:4] == [EventKind.DIED, EventKind.RESTARTED]
    assert events[2].detail == "died (killed by SIGKILL)"


DEAF = textwrap.dedent("""
    import http.server, pathlib, sys, threading
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if pathlib.Path(sys.argv[2]).exists():
                threading.Event().wait()
            self.send_response(200)
            self.end_headers()
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""")


@pytest.mark.parametrize("way", ["stopped", "silent", "disowned"])
def test_a_process_that_is_frozen_is_killed_and_restarted(tmp_path: Path, events: list[ProcessEvent], way: str) -> None:
    """Stopped by a signal, without a response at its address, or not alive by a check of its own."""
    port, deaf = choose_port(), tmp_path / "deaf"
    web = Process(
        "web",
        (sys.executable, "-c", DEAF, str(port), str(deaf)),
        ready=f"http://127.0.0.1:{port}/",
        port=port,
        alive=(lambda: not deaf.exists()) if way == "disowned" else None,
        silent_deadline=0.6,
    )
    with Stack([web], tmp_path, events.append) as stack:
        first = stack.pid("web") or 0
        os.kill(first, signal.SIGSTOP) if way == "stopped" else deaf.touch()
        until(lambda: EventKind.DIED in kinds(events, "web"))
        deaf.unlink(missing_ok=True)
        until(lambda: kinds(events, "web").count(EventKind.READY) == 2)
        assert stack.pid("web") != first
        assert not _lives(psutil.Process(first)) if psutil.pid_exists(first) else True
    (died,) = [event for event in events if event.kind is EventKind.DIED]
    assert "was frozen for 1 s, and was killed" in died.detail


def test_a_process_that_responds_again_in_time_is_left_alone(tmp_path: Path, events: list[ProcessEvent]) -> None:
    looks: list[bool] = []

    def alive() -> bool:
        looks.append(len(looks) % 4 == 3)
        return looks[-1]

    with Stack([Process("busy", SLEEP, alive=alive, silent_deadline=0.6)], tmp_path, events.append):
        until(lambda: len(looks) > 24)
    assert EventKind.DIED not in kinds(events, "busy")


def test_what_a_dead_part_left_is_ended_before_its_restart(tmp_path: Path, events: list[ProcessEvent]) -> None:
    mark = tmp_path / "mark"
    with Stack([script("run", RUNAWAY, STUBBORN, str(mark))], tmp_path, events.append) as stack:
        until(mark.exists)
        mark.unlink()
        (orphan,) = [process for process in marked(stack.id) if process.pid != stack.pid("run")]
        os.kill(stack.pid("run") or 0, signal.SIGKILL)
        until(mark.exists)
        assert not _lives(orphan)


def test_the_fourth_death_within_a_minute_stops_everything_with_its_last_lines(
    tmp_path: Path, events: list[ProcessEvent]
) -> None:
    # Ready at once, dead a moment later, four times.
    flaky = script("flaky", "import time; time.sleep(0.3); raise SystemExit('no disk left')")
    with pytest.raises(ProcessFailed, match="for the 4th time within a minute") as failed:
        Stack([flaky, Process("idle", SLEEP)], tmp_path, events.append).run_until_interrupted()
    assert failed.value.process == "flaky"
    assert failed.value.last_lines == ("no disk left",)
    assert kinds(events, "flaky").count(EventKind.RESTARTED) == 3
    assert kinds(events, "idle")[-1] is EventKind.STOPPED


def test_a_process_that_must_not_be_restarted_stops_everything(tmp_path: Path) -> None:
    process = Process("once", (sys.executable, "-c", "import time; time.sleep(0.3)"), restart=False)
    with pytest.raises(ProcessFailed, match="once died"), Stack([process], tmp_path) as stack:
        stack.watch()


def test_a_process_that_dies_before_it_is_ready_is_an_error_at_once(tmp_path: Path) -> None:
    argv = (sys.executable, "-c", "print('bad setting'); raise SystemExit(3)")
    with pytest.raises(ProcessFailed, match=r"(?s)broken died \(exit code 3\) before it was ready.*bad setting"):
        Stack([Process("broken", argv, ready=lambda: False)], tmp_path).__enter__()


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    process = Process("absent", ("no-such-program-at-all",), ready=lambda: False)
    with pytest.raises(ProcessFailed, match="cannot execute no-such-program-at-all"):
        Stack([process], tmp_path).__enter__()


def test_a_process_that_never_gets_ready_is_an_error_after_its_deadline(tmp_path: Path) -> None:
    stack = Stack([Process("slow", SLEEP, ready=lambda: False, ready_deadline=1)], tmp_path)
    with pytest.raises(ProcessFailed, match="slow was not ready after 1 s"):
        stack.__enter__()
    assert marked(stack.id) == []


def test_what_a_preparation_raises_stops_the_stack(tmp_path: Path) -> None:
    def refuse() -> None:
        raise ProcessFailed("schema", "cannot be migrated", tmp_path)

    stack = Stack([Process("api", SLEEP, prepare=refuse), Process("idle", SLEEP)], tmp_path)
    with pytest.raises(ProcessFailed, match="schema cannot be migrated"):
        stack.__enter__()
    assert marked(stack.id) == []


def test_a_taken_port_is_named_and_its_owner_left_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ProcessFailed, match=f"another process listens on port {port}"):
            Stack([server("web", port)], tmp_path).__enter__()


def test_a_taken_port_gives_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        chosen = choose_port(taken)
        assert chosen != taken
        assert port_is_free(chosen)
    assert choose_port(taken) == taken
    assert choose_port(taken, avoid={taken}) != taken


def test_stubborn_parts_are_killed_within_ten_seconds(tmp_path: Path, events: list[ProcessEvent]) -> None:
    marks = [tmp_path / name for name in "abc"]
    parts = [
        Process("a", (sys.executable, "-c", STUBBORN, str(marks[0])), ready=marks[0].exists),
        Process("b", (sys.executable, "-c", STUBBORN, str(marks[1])), ready=marks[1].exists, needs=("a",)),
        Process("c", (sys.executable, "-c", STUBBORN, str(marks[2])), ready=marks[2].exists, needs=("b",)),
    ]
    with Stack(parts, tmp_path, events.append) as stack:
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
    assert marked(stack.id) == []
    assert [event.detail for event in events if event.kind is EventKind.STOPPED] == ["killed"] * 3


def test_a_grandchild_in_its_own_session_stops_with_the_stack(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with Stack([script("run", RUNAWAY, STUBBORN, str(mark))], tmp_path) as stack:
        until(mark.exists)
        assert len(marked(stack.id)) == 2
    assert marked(stack.id) == []


def test_parts_stop_on_sigint_though_the_owner_ignores_it(tmp_path: Path, events: list[ProcessEvent]) -> None:
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        mark = tmp_path / "mark"
        source = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
        process = Process("run", (sys.executable, "-c", source, str(mark)), ready=mark.exists)
        with Stack([process], tmp_path, events.append) as stack:
            os.kill(stack.pid("run") or 0, signal.SIGINT)
            until(lambda: any(event.kind is EventKind.DIED for event in events))
    finally:
        signal.signal(signal.SIGINT, previous)
    (died,) = [event for event in events if event.kind is EventKind.DIED]
    assert "killed by SIGINT" in died.detail


OWNER = textwrap.dedent("""
    import signal, sys
    from pathlib import Path
    from deployments.supervisor.process import Process
    from deployments.supervisor.stack import Stack
    folder, port, runaway, stubborn = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup
    web = (sys.executable, "-m", "http.server", port, "--bind", "127.0.0.1")
    mark = folder / "mark"
    parts = [
        Process("web", web, ready=f"http://127.0.0.1:{port}/", port=int(port)),
        Process("run", (sys.executable, "-c", runaway, stubborn, str(mark)), ready=mark.exists, needs=("web",)),
    ]
    stack = Stack(parts, folder)
    stack.run_until_interrupted(lambda: (folder / "ready").write_text(stack.id))
""")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_lives_ten_seconds_after_the_owner_is_told_or_killed(
    tmp_path: Path, left_behind: list[str], number: signal.Signals
) -> None:
    port = choose_port()
    # As a script's `finloop up &` has it: SIGINT ignored from birth.
    shell = 'trap "" INT; exec "$@"'
    arguments = [sys.executable, "-c", OWNER, str(tmp_path), str(port), RUNAWAY, STUBBORN]
    owner = subprocess.Popen(["bash", "-c", shell, "bash", *arguments], start_new_session=True)
    try:
        until((tmp_path / "ready").exists, 30)
        stack = (tmp_path / "ready").read_text()
        left_behind.append(stack)
        assert len(marked(stack)) == 3
        guards = [process for process in psutil.process_iter() if stack in _arguments(process)]
        assert len(guards) == 1
        owner.send_signal(number)
        until(lambda: not marked(stack) and port_is_free(port) and not any(_lives(guard) for guard in guards), 10)
        assert owner.wait(1) == (-signal.SIGKILL if number == signal.SIGKILL else 0)
    finally:
        if owner.poll() is None:
            owner.kill()
            owner.wait()


def test_a_killed_guard_is_replaced(tmp_path: Path) -> None:
    with Stack([Process("idle", SLEEP)], tmp_path) as stack:

        def guards() -> list[psutil.Process]:
            # A guard that was forked and has not executed yet has no arguments: looked for until it has.
            return [process for process in psutil.process_iter() if stack.id in _arguments(process)]

        until(lambda: len(guards()) == 1)
        (guard,) = guards()
        guard.kill()
        until(lambda: not _lives(guard))
        stack.check()
        until(lambda: len(guards()) == 1)
        (other,) = guards()
        assert other.pid != guard.pid
    assert not _lives(other)


@pytest.mark.parametrize("needs", [("b",), ("nobody",)])
def test_needs_in_a_circle_or_unknown_are_refused(tmp_path: Path, needs: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        Stack([Process("a", SLEEP, needs=needs), Process("b", SLEEP, needs=("a",))], tmp_path)


def test_logs_are_for_their_owner_only(tmp_path: Path) -> None:
    with Stack([Process("idle", SLEEP)], tmp_path / "logs"):
        pass
    assert (tmp_path / "logs" / "idle.log").stat().st_mode & 0o077 == 0


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
