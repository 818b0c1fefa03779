"""Named errors: each says which part is at fault and why, in words that a person can read.

The inner rooms know no settings. The wiring adds the setting that chooses the part, and the cure, when an error leaves
the parts (`flows/wiring/cures.py`); edges map the classes to a status or an exit code.
"""

from enum import StrEnum


class Part(StrEnum):
    """What an error can be about: something that a setting chooses."""

    DATABASE = "database"
    EMBEDDED_DATABASE = "embedded database"
    ELASTICSEARCH = "Elasticsearch"
    LABEL_STUDIO = "Label Studio"
    LABEL_STUDIO_TOKEN = "Label Studio token"
    PREFECT = "Prefect"
    SERVING = "serving app"
    BASE_MODEL = "base model"
    SEED_DATA = "seed data"
    SCHEME = "label scheme"


class FinloopError(Exception):
    """The root of every error that finloop raises on purpose: its message is fit to be shown to a person.

    `part` is what is at fault, where a setting chooses it. `setting` and `cure` are empty until the wiring fills them.
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
    """Something was tried and did not succeed; there is nothing in the call to set right (exit code 1)."""


class BadInput(FinloopError):
    """What the user gave cannot be used; nothing was written."""


class Unreachable(FinloopError):
    """Nothing answers at an address as the part should; `name` is what should answer there."""

    def __init__(self, part: Part, address: str, reason: str, name: str = "") -> None:
        self._place, self._reason = f"no {name or part} answers at {address}", f": {reason.rstrip('.')}."
        super().__init__(self._place + self._reason, part)
        self.address = address

    def _with_setting(self, said: str) -> str:
        return f"{self._place} ({self.setting}){self._reason}"


class Refused(FinloopError):
    """A service answers, and refuses us: a wrong token, a missing right."""


class UnknownVersion(FinloopError):
    """No model or dataset has that name."""


class CorruptModel(FinloopError):
    """A model folder does not match its manifest; it must not be loaded."""


class Busy(FinloopError):
    """Another process holds the lease."""
