"""Shows a live line for each step, so that a person sees what happens and how long it takes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

NAME_WIDTH, SECONDS_WIDTH = 18, 8


class Step:
    """The line of a running step."""

    def __init__(self, number: int, name: str) -> None:
        self.name, self.note, self._number = name, "", number
        self._began = time.monotonic()
        self._took: float | None = None
        self._spinner = Spinner("dots")

    def say(self, note: str) -> None:
        """Show what happens now."""
        self.note = note

    def progress(self, fraction: float, message: str = "") -> None:
        """Show the share of the step's work that is done, 0 to 1."""
        self.note = f"{fraction:4.0%} {message}"

    def took(self, seconds: float | None) -> None:
        """Set the seconds of work that was done before the step looked for it; None leaves those since it began."""
        self._took = seconds

    @property
    def seconds(self) -> float:
        """Seconds since the step began, or those that its work took by its own account."""
        return time.monotonic() - self._began if self._took is None else self._took

    def line(self, mark: RenderableType = " ") -> Table:
        """The line as it is now; a long note is wrapped within its column."""
        line = Table.grid(padding=(0, 1))
        for width in (1, NAME_WIDTH, SECONDS_WIDTH):
            line.add_column(width=width, no_wrap=True)
        line.add_column()
        name = Text(f"{self._number}. {self.name}", "bold")
        line.add_row(mark, name, f"{self.seconds:6.1f} s", Text(self.note))
        return line

    def __rich__(self) -> Table:
        return self.line(self._spinner)


class Steps:
    """The steps of a run. `seconds` holds the time of each: summed if it is done twice, without the steps inside it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """One step: live while it runs, a plain line when it is done, a red one when it failed."""
        number = list(self.seconds).index(name) + 1 if name in self.seconds else len(self.seconds) + 1
        step = Step(number, name)
        booked = sum(self.seconds.values())
        mark = Text("✗", "red")
        live = Live(step, console=self._console, transient=True, refresh_per_second=4)
        try:
            with live:
                yield step
            mark = Text("✓", "green")
        finally:
            own = step.seconds - (sum(self.seconds.values()) - booked)
            self.seconds[name] = round(self.seconds.get(name, 0.0) + own, 1)
            self._console.print(step.line(mark))
