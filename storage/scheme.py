"""A label scheme: which labels there are, what annotators are asked, and what any usable model must get right.

A scheme is a TOML file, so that another task needs no code. A label is its name everywhere. The order of a scheme is
the order of columns and buttons; the meaning of a model's outputs never depends on it.
"""

import hashlib
import json
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from storage.errors import BadInput, Part

DEFAULT = "sentiment"
PACKAGED = Path(__file__).parent / "schemes"
MOST_LABELS = 20

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")]
Prose = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]


class SchemeLabel(BaseModel):
    """One label: its name, its meaning, its other spellings (`aliases`), and its button.

    `hotkey` is the key that chooses the label; `colour` is written as #rrggbb.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Word
    meaning: Prose
    aliases: tuple[Word, ...] = ()
    hotkey: Annotated[str, StringConstraints(min_length=1, max_length=20)] | None = None
    colour: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")] = "#6b7280"


class ObviousCase(BaseModel):
    """A text whose label nobody doubts; a model that gets one wrong has swapped labels or learnt nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Prose
    label: Word


class Scheme(BaseModel):
    """The labels of a home in their order, with the question and instructions (Markdown) for annotators."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    question: Prose
    instructions: Prose
    labels: Annotated[tuple[SchemeLabel, ...], Field(min_length=2, max_length=MOST_LABELS)]
    obvious: tuple[ObviousCase, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The labels' names in order: the order of every array that is as wide as the scheme."""
        return tuple(label.name for label in self.labels)

    @cached_property
    def hash(self) -> str:
        """The SHA-256 of the name and the labels' names in order. Schemes of one hash are the same scheme.

        Wording, colours, aliases and obvious cases do not count, so that people may improve them in a home in use.
        """
        return hashlib.sha256(json.dumps([self.name, *self.names]).encode()).hexdigest()

    def label(self, said: str) -> str:
        """The name of the label whose name or alias is `said`, in upper or lower case.

        Raises BadInput that lists the labels.
        """
        found = self._by_spelling.get(_spelling(said))
        if found is None:
            raise BadInput(f"the label {said.strip()[:40]!r} is none of {', '.join(self.names)}")
        return found

    def knows(self, said: str) -> bool:
        """Whether `said` is the name or an alias of a label."""
        return _spelling(said) in self._by_spelling

    @cached_property
    def _by_spelling(self) -> dict[str, str]:
        return {_spelling(word): label.name for label in self.labels for word in (label.name, *label.aliases)}

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Self:
        words = [_spelling(word) for label in self.labels for word in (label.name, *label.aliases)]
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            raise ValueError(f"two labels are called {', '.join(map(repr, twice))}")
        keys = [label.hotkey.lower() for label in self.labels if label.hotkey]
        if len(set(keys)) < len(keys):
            raise ValueError("two labels have the same hotkey")
        strangers = sorted({case.label for case in self.obvious} - set(self.names))
        if strangers:
            raise ValueError(
                f"an obvious case has the label {strangers[0]!r}, which is none of {', '.join(self.names)}"
            )
        return self


def find_scheme(name: str) -> Scheme:
    """The packaged scheme of that name, or the scheme in that TOML file.

    Raises BadInput where there is neither, or where the file is not a scheme.
    """
    packaged = PACKAGED / f"{name}.toml"
    if Path(name).name == name and packaged.is_file():
        return load_scheme(packaged)
    path = Path(name).expanduser()
    if not path.is_file():
        known = ", ".join(packaged_schemes())
        raise BadInput(
            f"there is no label scheme {name!r}: it is no file, and the packaged ones are {known}", Part.SCHEME
        )
    return load_scheme(path)


def packaged_schemes() -> list[str]:
    """The names of the schemes that come with finloop."""
    return sorted(path.stem for path in PACKAGED.glob("*.toml"))


def load_scheme(path: Path) -> Scheme:
    """The scheme in a TOML file. Raises BadInput that names the file and what is wrong with its content."""
    try:
        return Scheme.model_validate(tomllib.loads(path.read_text("utf-8-sig")))
    except OSError as error:
        raise BadInput(f"the label scheme {path} cannot be read: {error.strerror}", Part.SCHEME) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"the label scheme {path} is not TOML in UTF-8: {error}", Part.SCHEME) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        reason = first["msg"].removeprefix("Value error, ")
        why = f"{place}: {reason}" if place else reason
        raise BadInput(f"the label scheme {path} cannot be used: {why}", Part.SCHEME) from error


def _spelling(word: str) -> str:
    return " ".join(word.split()).casefold()
