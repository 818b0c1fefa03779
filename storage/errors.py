"""Named errors of the inner rooms; each message names the setting and the cure, edges map them to a status or exit."""


class FinloopError(Exception):
    """The root of every error that finloop raises on purpose: its message is fit to be shown to a person."""


class Failed(FinloopError):
    """Something was tried and did not succeed; there is nothing in the call to set right (exit code 1)."""


class BadInput(FinloopError):
    """What the user gave cannot be used; nothing was written."""


class Unreachable(FinloopError):
    """No service answers at the address of a setting."""

    def __init__(self, part: str, address: str, setting: str, reason: str, cure: str) -> None:
        super().__init__(f"no {part} answers at {address} ({setting}): {reason}.\n{cure}")
        self.part, self.address, self.setting = part, address, setting


class Refused(FinloopError):
    """A service answers, and refuses us: a wrong token, a missing right."""


class UnknownVersion(FinloopError):
    """No model or dataset has that name."""


class CorruptModel(FinloopError):
    """A model folder does not match its manifest; it must not be loaded."""


class Busy(FinloopError):
    """Another process holds the lease."""
