"""What the gate decided about a model version, with its evidence; stored once, beside the model version."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Decision(StrEnum):
    """What happens to a candidate. It is undecided where only evidence is missing."""

    PROMOTE = "promote"
    REFUSE = "refuse"
    UNDECIDED = "undecided"

    @property
    def said(self) -> str:
        """The decision as a person reads it: promoted, refused or undecided."""
        return {"promote": "promoted", "refuse": "refused"}.get(self.value, self.value)


class Check(BaseModel):
    """One condition: the measured value, the value to reach, and the sentence that a person reads."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: float
    threshold: float
    passed: bool
    why: str


class Verdict(BaseModel):
    """A decision with everything that it stands on. `champion` is None for the first candidate.

    Verdicts of earlier versions of finloop have `promoted` in place of a decision, and no time.
    """

    model_config = ConfigDict(frozen=True)

    decision: Decision
    reason: str
    checks: tuple[Check, ...]
    champion: str | None
    candidate: str
    dataset: str
    judged_at: datetime | None = None

    @property
    def promoted(self) -> bool:
        """Whether the candidate may be served."""
        return self.decision is Decision.PROMOTE

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_versions(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "promoted" not in given:
            return given
        decision = Decision.PROMOTE if given["promoted"] else Decision.REFUSE
        return {"decision": decision, **{name: value for name, value in given.items() if name != "promoted"}}
