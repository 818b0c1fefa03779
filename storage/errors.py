"""Named errors: each says in plain words which part is at fault, and why.

The inner rooms know no settings. The wiring (`flows/wiring/cures.py`) adds the setting that chooses the part, and the
cure. The command line maps the classes to exit codes, the web services map them to statuses.
"""

from enum import StrEnum
from typing import ClassVar


class Part(StrEnum):
    """Something that a setting chooses, and that an error can be about."""

    DATABASE = "database"
    EMBEDDED_DATABASE = "embedded database"
    ELASTICSEARCH = "Elasticsearch"
    ELASTICSEARCH_INDEX = "Elasticsearch's index"
    ELASTICSEARCH_CA = "Elasticsearch's certificate"
    LABEL_STUDIO = "Label Studio"
    LABEL_STUDIO_TOKEN = "Label Studio token"
    PREFECT = "Prefect"
    SERVING = "serving app"
    BASE_MODEL = "base model"
    SEED_DATA = "seed data"
    SCHEME = "label scheme"
    SENTIMENT_WORDS = "list of words"
    HOME = "home"


SAID_AS = {Part.ELASTICSEARCH_CA: Part.ELASTICSEARCH}
"""Who does not answer, where the part at fault is only a piece of it."""


class FinloopError(Exception):
    """The base of every error that finloop raises on purpose. Its message is written for a person.

    `part` is the part at fault, if there is one. `setting` and `cure` are empty until the wiring fills them.
    """

    def __init__(self, message: str, part: Part | None = None) -> None:
        super().__init__(message)
        self.part = part
        self.setting = self.cure = ""

    def __str__(self) -> str:
        said, _, more = str(self.args[0]).partition("\n")
        if self.setting:
            said = self._with_setting(said)
        return "\n".join(filter(None, (said, more, self.cure)))

    def _with_setting(self, said: str) -> str:
        return f"{said.rstrip('.')} ({self.setting})."


class Failed(FinloopError):
    """An attempt did not succeed, although the call was right (exit code 1)."""


class BadInput(FinloopError):
    """The user's input cannot be used; nothing was written."""


class Unreachable(FinloopError):
    """A part does not respond at its address; `name` is what people call the part, where that differs."""

    said: ClassVar[str] = "no {name} answers at {address}"

    def __init__(self, part: Part, address: str, reason: str, name: str = "") -> None:
        self._place = self.said.format(name=name or SAID_AS.get(part, part), address=address)
        self._reason = f": {reason.rstrip('.')}."
        super().__init__(self._place + self._reason, part)
        self.address = address

    def _with_setting(self, said: str) -> str:
        return f"{self._place} ({self.setting}){self._reason}"


class TurnedAway(Unreachable):
    """A server responds and lets nobody in, or not us: a wrong password, a missing database, too many connections."""

    said = "the {name} at {address} answers, but refuses"


class Full(Unreachable):
    """The disk of a database or folder is full; what was committed before stays."""

    said = "the disk of {address} is full"


class Locked(Unreachable):
    """Another process holds the database for longer than we wait."""

    said = "{address} is locked by another process"


class Refused(FinloopError):
    """A service responds and refuses us: a wrong token, a missing right, or a state that forbids the request."""


class UnknownVersion(FinloopError):
    """No model or dataset has that name."""


class CorruptModel(FinloopError):
    """A model folder does not match its manifest; it must not be loaded."""


class Busy(FinloopError):
    """Another process holds the lease."""
