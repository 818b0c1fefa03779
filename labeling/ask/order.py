"""How much of a strategy's order a batch asks for: more than it wants, because some texts are near others."""

from dataclasses import dataclass

OVER = 1.5
"""How many times the wanted number a strategy is asked for, because some are near others."""


@dataclass(slots=True)
class Order:
    """How far one order of the strategy has been read. Copies come in floods, so each request is twice the last."""

    of: int
    seen: int = 0
    asked: int = 0

    def next_size(self, wanted: int) -> int:
        """How many texts to ask for where so many are wanted."""
        self.asked += 1
        return over(wanted) << (self.asked - 1)


def over(wanted: int) -> int:
    """A few more than are wanted."""
    return int(OVER * wanted) + 1
