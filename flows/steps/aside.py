"""The texts that no text may be near which annotators are asked about: those asked before, and the audit share.

A batch looks through them several times. The audit share grows without end: so it is read from its store once, and lies
on disk for the next look, not in memory.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile
from typing import IO

from storage.labels.tasks import Tasks
from storage.texts.store import TextStore


class Aside:
    """An iterable of texts, which may be read again and again, one reading at a time."""

    def __init__(self, texts: TextStore, tasks: Tasks, file: IO[str]) -> None:
        self._texts, self._tasks, self._audit = texts, tasks, file
        self._is_read = False

    def __iter__(self) -> Iterator[str]:
        yield from self._tasks.asked().values()
        if not self._is_read:
            self._read()
        self._audit.seek(0)
        for line in self._audit:
            yield str(json.loads(line))

    def _read(self) -> None:
        self._audit.writelines(json.dumps(text.text) + "\n" for text in self._texts.random_audit(seed=0))
        self._is_read = True


@contextmanager
def open_aside(texts: TextStore, tasks: Tasks) -> Iterator[Aside]:
    """The texts aside, on disk as far as this block: the file has no name, and is gone with the process."""
    with TemporaryFile("w+", encoding="utf-8") as file:
        yield Aside(texts, tasks, file)
