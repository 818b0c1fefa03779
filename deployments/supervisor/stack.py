"""The supervisor: starts processes in the order of their needs, keeps them up, and ends them all.

The owner of a stack may be killed at any moment. A guard process then ends every process with the stack's mark, so that
no port stays taken.
"""

import graphlib
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import NoReturn, Self

from deployments.supervisor.descendants import end
from deployments.supervisor.guard import Guard
from deployments.supervisor.keeper import POLL, Keeper
from deployments.supervisor.process import EventKind, Process, ProcessEvent

STOP_DEADLINE = 7.0
"""Seconds for all orderly stops together: nothing may live ten seconds after Ctrl-C."""

STOP_GRACE = 5.0
"""Seconds from SIGTERM to SIGKILL."""

MOST_PROCESSES = 32


class Stack:
    """A set of processes that live and die together.

    The body of `with Stack(processes, logs) as stack:` begins when every process is ready; at its end they are stopped
    in reverse order. `report` is called with each event, from several threads, but never twice at the same time.
    `logs` gets a NAME.log for each process.
    """

    def __init__(
        self, processes: Sequence[Process], logs: Path, report: Callable[[ProcessEvent], None] = lambda event: None
    ) -> None:
        _levels(processes)
        self.id = uuid.uuid4().hex
        self.logs = logs
        self._processes = list(processes)
        self._report = report
        self._report_lock = threading.Lock()
        self._stopping = threading.Event()
        self._stopped = False
        self._keepers: dict[str, Keeper] = {}
        self._lives: list[Future[None]] = []
        self._guard = Guard(self.id, logs / "guard.log")
        self._pool = ThreadPoolExecutor(max_workers=MOST_PROCESSES, thread_name_prefix="process")

    def __enter__(self) -> Self:
        try:
            self.launch()
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @contextmanager
    def launched(self) -> Iterator[Self]:
        """Like `with stack`, but the body begins at once: it calls `wait_until_ready` when it needs the processes."""
        try:
            self.launch()
            yield self
        finally:
            self.stop()

    def launch(self) -> None:
        """Begin to start the processes. The caller must call `stop` in the end, also after an error."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self._guard.start()
        for process in self._processes:
            self._keepers[process.name] = self._keeper(process)
        for process in self._processes:
            self._keep(process)

    def wait_until_ready(self, *names: str) -> None:
        """Wait until these processes (none named: all) are ready. Raises ProcessFailed, or the error of a `prepare`."""
        wanted = [self._keepers[name] for name in names or self._keepers]
        while not all(keeper.ready.is_set() for keeper in wanted):
            wait(self._lives, timeout=POLL, return_when=FIRST_COMPLETED)
            self.check()

    def check(self) -> None:
        """Raise the error of a process that could not be kept up. Cheap: for loops that wait for something else."""
        self._guard.keep()
        for life in self._lives:
            if life.done():
                life.result()

    def watch(self) -> NoReturn:
        """Stay until a process cannot be kept up, which raises ProcessFailed."""
        while True:
            wait(self._lives, timeout=1.0, return_when=FIRST_COMPLETED)
            self.check()

    def run_until_interrupted(self, when_ready: Callable[[], None] = lambda: None) -> None:
        """Start all, call `when_ready`, and stay until SIGINT, SIGTERM or SIGHUP; then stop all."""
        with interrupts():
            try:
                with self:
                    when_ready()
                    self.watch()
            except KeyboardInterrupt:
                return

    def pid(self, process: str) -> int | None:
        """The process id of the process with this name; None before its start."""
        return self._keepers[process].pid

    def stop(self) -> None:
        """Stop the processes, those that need others first; no process of the stack lives when this returns."""
        if self._stopped:
            return
        self._stopping.set()
        # Keepers notice the stop within a tenth of a second; after a `prepare` they start nothing.
        wait(self._lives, timeout=1.0)
        deadline = time.monotonic() + STOP_DEADLINE
        try:
            for names in reversed(_levels(self._processes)):
                self._stop_level([self._keepers[name] for name in names if name in self._keepers], deadline)
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._guard.close()
        self._stopped = True

    def _keeper(self, process: Process) -> Keeper:
        return Keeper(process, self.id, self.logs / f"{process.name}.log", self._tell, self._stopping)

    def _keep(self, process: Process) -> None:
        needs = {name: self._keepers[name].ready for name in process.needs}
        self._lives.append(self._pool.submit(self._keepers[process.name].run, needs))

    def _stop_level(self, keepers: list[Keeper], deadline: float) -> None:
        """Stop processes that do not need each other, together: signal, wait, then end their remaining children."""
        begun = time.monotonic()
        living = [keeper for keeper in keepers if keeper.pid is not None]
        for keeper in living:
            keeper.signal_stop()
        waiting = dict.fromkeys(living)
        pause = threading.Event()
        while waiting:
            now = time.monotonic()
            for keeper in list(waiting):
                if keeper.gone() or now >= min(begun + STOP_GRACE, deadline):
                    del waiting[keeper]
            pause.wait(POLL / 2)
        orderly = {keeper.process.name for keeper in living if keeper.gone()}
        # A process that ended by itself may have left children: these get the rest of the time.
        end(self.id, {keeper.process.name for keeper in living} - orderly, grace=0.0)
        end(self.id, orderly, grace=max(0.0, min(2.0, deadline - time.monotonic())))
        for keeper in living:
            keeper.gone()  # takes the exit status, so that no zombie stays
            detail = "" if keeper.process.name in orderly else "killed"
            self._tell(ProcessEvent(EventKind.STOPPED, keeper.process.name, time.monotonic() - begun, detail))

    def _tell(self, event: ProcessEvent) -> None:
        with self._report_lock:
            self._report(event)


@contextmanager
def interrupts() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread, also where SIGINT was ignored before.

    An ignored SIGHUP stays ignored, as nohup wants. A second signal cuts the orderly stop short.
    """
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    if previous[signal.SIGHUP] is signal.SIG_IGN:
        del previous[signal.SIGHUP]
    for number in previous:
        signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _levels(processes: Sequence[Process]) -> list[tuple[str, ...]]:
    """Names in levels, each after the levels that it needs. Raises ValueError for a cycle or an unknown need."""
    names = [process.name for process in processes]
    unknown = {need for process in processes for need in process.needs} - set(names)
    if unknown or len(set(names)) < len(names):
        raise ValueError(f"processes must have distinct names and known needs: {names}, unknown {sorted(unknown)}")
    sorter = graphlib.TopologicalSorter({process.name: process.needs for process in processes})
    sorter.prepare()
    levels: list[tuple[str, ...]] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        levels.append(tuple(ready))
        sorter.done(*ready)
    return levels
