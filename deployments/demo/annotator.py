"""The stand-in annotator: answers open tasks from a key, through Label Studio's own API, as a person's browser would.

Only the demo, the `annotate` verb and ingest (which keeps the key) know of it: nothing that chooses, trains or judges
may ever see an answer that nobody gave in Label Studio.
"""

import csv
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock

from labeling.studio.client import Studio
from labeling.studio.connection import NotThere
from labeling.studio.interface import choice
from storage.errors import BadInput
from storage.labels.projects import Project
from storage.models.mlflow_store import of_folder
from storage.scheme import Scheme
from storage.sql.files import private_folder

FILE = "answer-key.csv"
THREADS = 2
OPEN_TASKS = {
    "conjunction": "and",
    "items": [
        {"filter": f"filter:tasks:{name}", "operator": "equal", "type": "Number", "value": 0}
        for name in ("total_annotations", "cancelled_annotations")
    ],
}


class AnswerKey:
    """The labels that came with production texts, by text id, in a file of the work folder (`text_id,label`).

    Processes that add at once take turns, so that none loses another's rows.
    """

    def __init__(self, home: Path, scheme: Scheme) -> None:
        self._path, self._scheme = home / FILE, scheme

    def add(self, labels: Mapping[str, str]) -> None:
        """Add answers; the newest one for a text counts. The file is replaced whole, so that none is half written."""
        if not labels:
            return
        try:
            private_folder(self._path.parent)
            with FileLock(self._path.with_name(f".{FILE}.lock")):
                self._replace({**self.read(), **labels})
        except OSError as error:
            raise of_folder(error, self._path) from error

    def _replace(self, answers: Mapping[str, str]) -> None:
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".answer-key-")
        try:
            with os.fdopen(handle, "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["text_id", "label"])
                writer.writerows(sorted(answers.items()))
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def read(self) -> dict[str, str]:
        """Every answer; empty where no text came with a label. Raises BadInput, which names a row that is no answer."""
        if not self._path.is_file():
            return {}
        answers: dict[str, str] = {}
        try:
            with self._path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    try:
                        answers[row["text_id"]] = self._scheme.label(row["label"])
                    except (KeyError, AttributeError, BadInput) as error:
                        raise BadInput(f"{self._path}: {row} is not an answer: text_id,label") from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise BadInput(
                f"{self._path} is not a CSV in UTF-8: {error}.\nPut a sound copy back, or remove it."
            ) from error
        return answers


@dataclass(frozen=True, slots=True)
class Annotated:
    """What the stand-in did: answers given, tasks skipped, and tasks left open because the key has no answer."""

    answered: int
    skipped: int
    unknown: int


def annotate(
    studio: Studio,
    project: Project,
    key: Mapping[str, str],
    scheme: Scheme,
    *,
    limit: int | None = None,
    skip_share: float = 0.0,
    seed: int = 0,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Annotated:
    """Answer the open tasks, oldest first, until `limit` answers are given (skips not counted).

    A task is skipped with the probability `skip_share`, by a draw that its text id and the seed fix. `progress` gets
    the share of the work that is done, from 0 to 1; its error ends the work. About 10 answers a second on 2 free cores.
    """
    query = {"filters": OPEN_TASKS}
    tasks = [
        task for task in studio.tasks(project.id, "id,data", query) if isinstance(task["data"].get("text_id"), str)
    ]
    known = [task for task in tasks if task["data"]["text_id"] in key]
    work = _within(limit, known, skip_share, seed)

    def answer(task_id: int, text_id: str, skip: bool) -> str:
        return _answer(studio, task_id, [] if skip else [choice(scheme, key[text_id])])

    answered = skipped = 0
    with ThreadPoolExecutor(THREADS, thread_name_prefix="annotator") as pool:
        for done, label in enumerate(_given(pool, answer, work), 1):
            answered += label == "answered"
            skipped += label == "skipped"
            progress(done / len(work))
    return Annotated(answered, skipped, len(tasks) - len(known))


def _within(
    limit: int | None, tasks: list[dict[str, object]], skip_share: float, seed: int
) -> list[tuple[int, str, bool]]:
    """(task id, text id, whether to skip) of the tasks to work on, up to the one that reaches the limit."""
    work: list[tuple[int, str, bool]] = []
    left = len(tasks) if limit is None else limit
    for task in tasks:
        if left <= 0:
            break
        data = task["data"]
        text_id = str(data["text_id"]) if isinstance(data, dict) else ""
        skip = random.Random(f"{seed}:{text_id}").random() < skip_share
        work.append((int(str(task["id"])), text_id, skip))
        left -= not skip
    return work


def _given(
    pool: ThreadPoolExecutor, answer: Callable[[int, str, bool], str], work: list[tuple[int, str, bool]]
) -> Iterator[str]:
    """The result of each task as it is done. Few are under way at once, so that an error ends the work soon."""
    waiting = iter(work)
    running: set[Future[str]] = set()
    while True:
        running |= {pool.submit(answer, *task) for task in islice(waiting, 2 * THREADS - len(running))}
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


def _answer(studio: Studio, task_id: int, result: list[dict[str, Any]]) -> str:
    try:
        studio.api.annotations.create(task_id, result=result, was_cancelled=not result)
    except NotThere:
        return "gone"
    return "answered" if result else "skipped"
