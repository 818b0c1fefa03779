"""The gate's verdict on a model version, with its evidence. A verdict is stored once, beside the model version."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Decision(StrEnum):
    """The gate's decision on a candidate; `undecided` where the only fault is missing evidence."""

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
    """A decision with its checks, about versions of models and a dataset. The first candidate has no `champion`.

    Verdicts that an earlier finloop stored have `promoted` in place of `decision`, and no time.
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
