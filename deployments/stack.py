"""The supervisor: starts parts in the order of their needs, keeps them up, and leaves nothing behind.

Whoever owns the stack may be interrupted or killed at any moment; a guard process beside it then ends every process
that carries the stack's mark, so that no port stays taken.
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

from deployments.descendants import end
from deployments.guard import Guard
from deployments.keeper import POLL, Keeper
from deployments.parts import EventKind, Part, PartEvent

STOP_DEADLINE = 7.0
"""Seconds for all orderly stops together: nothing may live ten seconds after Ctrl-C."""

STOP_GRACE = 5.0
"""Seconds from SIGTERM to SIGKILL."""

MOST_PARTS = 32


class Stack:
    """A set of parts that live and die together.

    `with Stack(parts, logs) as stack:` is the body's time with every part ready; leaving it stops them in reverse
    order. `report` is called with each event, one at a time, from several threads. `logs` gets NAME.log per part.
    """

    def __init__(
        self, parts: Sequence[Part], logs: Path, report: Callable[[PartEvent], None] = lambda event: None
    ) -> None:
        _levels(parts)
        self.id = uuid.uuid4().hex
        self.logs = logs
        self._parts = list(parts)
        self._report = report
        self._report_lock = threading.Lock()
        self._stopping = threading.Event()
        self._stopped = False
        self._keepers: dict[str, Keeper] = {}
        self._lives: list[Future[None]] = []
        self._guard = Guard(self.id, logs / "guard.log")
        self._pool = ThreadPoolExecutor(max_workers=MOST_PARTS, thread_name_prefix="part")

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
        """Like `with stack`, but the body begins at once: it calls `wait_until_ready` when it needs the parts."""
        try:
            self.launch()
            yield self
        finally:
            self.stop()

    def launch(self) -> None:
        """Begin to start the parts; whoever calls this calls `stop`, whatever happens in between."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self._guard.start()
        for part in self._parts:
            self._keepers[part.name] = self._keeper(part)
        for part in self._parts:
            self._keep(part)

    def wait_until_ready(self, *names: str) -> None:
        """Until these parts (none named: all) are ready; raises PartFailed, or what a `prepare` raised."""
        wanted = [self._keepers[name] for name in names or self._keepers]
        while not all(keeper.ready.is_set() for keeper in wanted):
            wait(self._lives, timeout=POLL, return_when=FIRST_COMPLETED)
            self.check()

    def check(self) -> None:
        """Raise what made a part give up, if one did; cheap, for loops that wait on something else."""
        self._guard.keep()
        for life in self._lives:
            if life.done():
                life.result()

    def watch(self, seconds: float | None = None) -> None:
        """Stay until `seconds` have passed (None: for ever) or a part gives up, which raises PartFailed."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while deadline is None or time.monotonic() < deadline:
            left = 1.0 if deadline is None else min(1.0, max(0.0, deadline - time.monotonic()))
            wait(self._lives, timeout=left, return_when=FIRST_COMPLETED)
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

    def pid(self, part: str) -> int | None:
        """The process id of a part's first process."""
        return self._keepers[part].pid

    def stop(self) -> None:
        """Stop the parts, those that need others first; nothing of the stack lives when this returns."""
        if self._stopped:
            return
        self._stopping.set()
        # Keepers look up every tenth of a second; one inside a `prepare` starts nothing any more.
        wait(self._lives, timeout=1.0)
        deadline = time.monotonic() + STOP_DEADLINE
        try:
            for names in reversed(_levels(self._parts)):
                self._stop_level([self._keepers[name] for name in names if name in self._keepers], deadline)
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._guard.close()
        self._stopped = True

    def _keeper(self, part: Part) -> Keeper:
        return Keeper(part, self.id, self.logs / f"{part.name}.log", self._tell, self._stopping)

    def _keep(self, part: Part) -> None:
        needs = {name: self._keepers[name].ready for name in part.needs}
        self._lives.append(self._pool.submit(self._keepers[part.name].run, needs))

    def _stop_level(self, keepers: list[Keeper], deadline: float) -> None:
        """Stop parts that don't need each other, side by side: signal, wait, then end what is left of their trees."""
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
        orderly = {keeper.part.name for keeper in living if keeper.gone()}
        # A part that ended by itself may have left children: they get what is left of the time.
        end(self.id, {keeper.part.name for keeper in living} - orderly, grace=0.0)
        end(self.id, orderly, grace=max(0.0, min(2.0, deadline - time.monotonic())))
        for keeper in living:
            keeper.gone()  # takes the exit status, so that no zombie stays
            detail = "" if keeper.part.name in orderly else "killed"
            self._tell(PartEvent(EventKind.STOPPED, keeper.part.name, time.monotonic() - begun, detail))

    def _tell(self, event: PartEvent) -> None:
        with self._report_lock:
            self._report(event)


@contextmanager
def interrupts() -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt in the main thread, also where SIGINT was inherited ignored.

    An ignored SIGHUP stays so: that is what nohup asks for. A second signal cuts the orderly stop short.
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


def _levels(parts: Sequence[Part]) -> list[tuple[str, ...]]:
    """Names by distance from the parts that need nothing; raises ValueError for a cycle or a need that is no part."""
    names = [part.name for part in parts]
    unknown = {need for part in parts for need in part.needs} - set(names)
    if unknown or len(set(names)) < len(names):
        raise ValueError(f"parts must have distinct names and known needs: {names}, unknown {sorted(unknown)}")
    sorter = graphlib.TopologicalSorter({part.name: part.needs for part in parts})
    sorter.prepare()
    levels: list[tuple[str, ...]] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        levels.append(tuple(ready))
        sorter.done(*ready)
    return levels
