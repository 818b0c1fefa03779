"""The finished trainings of a measurement: one JSON object a line, so that a long table grows over several runs.

A line is appended when its training is judged. A later run reads the lines of its own task and trains what is missing.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from storage.errors import BadInput

NONE = "none"
"""The name of a training without labels: it is the same, whatever would be asked for."""


@dataclass(frozen=True, slots=True)
class Result:
    """One training: how its labels were asked for, by which recipe it learnt, and how good it is on the texts apart.

    `seconds` is the training alone. `rounds` are the numbers of labels that were asked for between two trainings.
    """

    strategy: str
    recipe: str
    seed: int
    labels: int
    macro_f1: float
    accuracy: float
    recall: Mapping[str, float | None]
    seed_test_macro_f1: float
    seconds: float
    rounds: tuple[int, ...] = ()
    task: str = ""
    recipe_hash: str = ""
    base_model: str = ""
    exposed: bool = False
    note: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, int, int, tuple[int, ...]]:
        """What makes two trainings the same: a recipe of the same name with another content is another recipe."""
        return self.task, self.strategy, self.recipe_hash, self.seed, self.labels, self.rounds


class Ledger:
    """A JSON-lines file of results."""

    def __init__(self, path: Path) -> None:
        """Raises BadInput, naming file and line, where the file holds something else. A torn last line is removed."""
        self.path = path
        self.results: dict[tuple[Any, ...], Result] = {}
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                result = Result(**{**(read := json.loads(line)), "rounds": tuple(read["rounds"])})
            except (ValueError, TypeError, KeyError) as error:
                if number == len(lines):  # a run was killed while it wrote
                    path.write_text("".join(f"{whole}\n" for whole in lines[:-1]), "utf-8")
                    break
                raise BadInput(f"{path}, line {number} is no result of this benchmark: {error}") from error
            self.results[result.key] = result

    def find(self, key: tuple[Any, ...]) -> Result | None:
        """The finished training of that key."""
        return self.results.get(key)

    def champion(self, task: str, recipe_hash: str, seed: int) -> Result | None:
        """The finished training without labels, whoever needed it first."""
        wanted = (task, recipe_hash, seed, 0)
        same = (one for one in self.results.values() if (one.task, one.recipe_hash, one.seed, one.labels) == wanted)
        return next(same, None)

    def add(self, result: Result) -> None:
        """Append a finished training."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(result)) + "\n")
        self.results[result.key] = result
