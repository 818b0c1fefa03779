"""Whether the models still change: how far promoted versions agree on fixed texts, as a value and its sentence."""

import math
from typing import Self

from pydantic import BaseModel, ConfigDict


class Stability(BaseModel):
    """Promoted versions on the same texts, oldest first.

    `agreements` (shares of the texts) and `kappas` are of consecutive versions; `uncertainties`, the mean of one minus
    the margin, are of each version. `stable`: more labels change little. `fault` says why nothing was compared.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    texts: int
    versions: tuple[str, ...]
    agreements: tuple[float, ...]
    kappas: tuple[float, ...]
    uncertainties: tuple[float, ...]
    stable: bool
    fault: str | None = None

    @classmethod
    def unknown(cls, fault: str) -> Self:
        """No versions were compared, and why not."""
        return cls(texts=0, versions=(), agreements=(), kappas=(), uncertainties=(), stable=False, fault=fault)

    @property
    def sentence(self) -> str:
        """How far the versions agree, and what follows."""
        if self.fault is not None:
            return f"unknown: {self.fault}"
        count = len(self.versions)
        mean, kappa = sum(self.agreements) / (count - 1), sum(self.kappas) / (count - 1)
        which = {2: "two", 3: "three", 4: "four"}.get(count, str(count))
        said = f"the last {which} versions agree on {mean:.1%} of {self.texts:,} fixed texts (kappa {_short(kappa)})"
        doubt = f"their doubt went from {_short(self.uncertainties[0])} to {_short(self.uncertainties[-1])}"
        end = "more labels change little: stop, or ask for fewer" if self.stable else "labels still change the model"
        return f"{said}; {doubt}: {end}"


def _short(number: float) -> str:
    """Two digits that never round up to 1.00, because a kappa of .996 isn't full agreement."""
    return "1.00" if number >= 1 else f"{math.floor(number * 100) / 100:.2f}".replace("0.", ".", 1)
