"""Why a text was chosen: a value that is stored beside its label task, and a sentence for a person."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """Which part of a batch a text belongs to."""

    STRATEGY = "strategy"
    RANDOM = "random"
    QUOTA = "quota"


class Reason(BaseModel):
    """Why a text was chosen. Unknown fields are passed over, so that an older version can read a newer one's.

    `rank` is the text's place in the strategy's order of `of` texts, from 1; a random text has none. `margin` is the
    gap between the two likeliest labels, `predicted` the likeliest label's name, empty where it is not known. A
    text that no model had scored has neither.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    strategy: str
    kind: Kind
    margin: float | None = Field(default=None, ge=0, le=1)
    predicted: str = ""
    rank: int | None = Field(default=None, ge=1)
    of: int | None = Field(default=None, ge=1)

    @property
    def sentence(self) -> str:
        """What a person reads, such as "margin .04, rank 3 of 50,000; predicted X"."""
        margin = "" if self.margin is None else f"margin {_short(self.margin)}"
        predicted = f"predicted {self.predicted}" if self.predicted else ""
        if self.kind is Kind.RANDOM:
            return _joined("drawn at random", margin, predicted)
        why = "for its predicted label: " if self.kind is Kind.QUOTA else ""
        rank = f"rank {self.rank or 0:,} of {self.of or 0:,}"
        if self.strategy == "margin":  # the margin is the score itself
            return _joined(f"{why}{margin}, {rank}", predicted)
        return _joined(f"{why}{self.strategy}, {rank}", margin, predicted)

    def to_json(self) -> str:
        """The reason as one line of JSON."""
        return self.model_dump_json(exclude_none=True)

    @classmethod
    def from_json(cls, written: str) -> "Reason":
        """The reason that `to_json` wrote. Raises ValueError (pydantic's ValidationError) for anything else."""
        return cls.model_validate_json(written)


def _joined(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _short(share: float) -> str:
    """A share in two digits without the zero before the point: .04, or 1.00."""
    return f"{share:.2f}".removeprefix("0")
