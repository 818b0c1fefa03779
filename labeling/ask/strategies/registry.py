"""The strategies by name, and the door for a user's own."""

import pkgutil
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from labeling.ask.pool import Choice, Need, Pool, Positions, Strategy
from labeling.ask.strategies.contrast import contrastive, discriminative
from labeling.ask.strategies.coverage import badge, core_set
from labeling.ask.strategies.ranking import Score, power, random, top
from labeling.ask.strategies.typical import typical
from labeling.ask.strategies.uncertainty import bald, entropy, least_confidence, margin
from storage.errors import BadInput

_EMBEDDINGS = frozenset({Need.EMBEDDINGS})
_BOTH = frozenset({Need.EMBEDDINGS, Need.LABELLED})

_margin: Score = lambda pool: margin(pool.probabilities)  # noqa: E731

_ALL = (
    Strategy("least_confidence", top(lambda pool: least_confidence(pool.probabilities)), "Lewis and Gale 1994"),
    Strategy("margin", top(_margin), "Scheffer et al. 2001"),
    Strategy("power_margin", power(_margin), "Kirsch et al. 2023"),
    Strategy("entropy", top(lambda pool: entropy(pool.probabilities)), "Settles 2009"),
    Strategy("bald", top(lambda pool: bald(pool.dropout)), "Houlsby et al. 2011", frozenset({Need.DROPOUT})),
    Strategy("badge", badge, "Ash et al. 2020", _EMBEDDINGS),
    Strategy("contrastive", top(contrastive), "Margatina et al. 2021", _BOTH),
    Strategy("discriminative", discriminative, "Gissin and Shalev-Shwartz 2019", _BOTH),
    Strategy("core_set", core_set, "Sener and Savarese 2018", _BOTH),
    Strategy("typical", typical, "Hacohen et al. 2022", _BOTH),
    Strategy("random", random, "uniform"),
)

STRATEGIES: Mapping[str, Strategy] = MappingProxyType({strategy.name: strategy for strategy in _ALL})
"""Every strategy of the project, by its name."""


def find_strategy(name: str) -> Strategy:
    """The strategy of this name, or a user's own function, named as `package.module:function`.

    The function is called as every `Choice` is. Its attribute `needs`, where it has one, holds the names of what it
    reads (`Need`). Raises BadInput for an unknown name, for a module that cannot be imported, and for what is no
    function or asks for something that no pool has.
    """
    if ":" not in name:
        if name not in STRATEGIES:
            raise BadInput(
                f"no strategy is named {name!r}; the names are {', '.join(STRATEGIES)}, "
                "and a function of your own is named package.module:function"
            )
        return STRATEGIES[name]
    function = _imported(name)
    return Strategy(name, function, "a user's own", _needs(name, getattr(function, "needs", ())))


def checked_choice(strategy: Strategy, pool: Pool, size: int, draw: np.random.Generator) -> Positions:
    """What the strategy chooses, once it is seen to be a choice.

    Raises BadInput, with the strategy's name, where the pool lacks what the strategy needs, or where the strategy does
    not return distinct rows of the pool, as whole numbers, at most `size`.
    """
    for need in strategy.needs:
        if not _has(pool, need):
            raise BadInput(f"the strategy {strategy.name} needs {need.value}, and the pool has none")
    try:
        chosen = np.asarray(strategy.choose(pool, size, draw))
    except (TypeError, ValueError, IndexError, ArithmeticError) as error:
        raise BadInput(f"the strategy {strategy.name} failed: {type(error).__name__}: {error}") from error
    if fault := _fault(chosen, len(pool), size):
        raise BadInput(f"the strategy {strategy.name} {fault}")
    return chosen.astype(np.intp)


def _imported(name: str) -> Choice:
    # The place may be anything that is installed; it is the user's code, and no room of the project is hidden here.
    try:
        function: object = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(
            f"the strategy {name} cannot be imported: {error}; "
            "its module must be installed, or be in a folder of PYTHONPATH"
        ) from error
    if not callable(function):
        raise BadInput(f"the strategy {name} is a {type(function).__name__}, which cannot be called")
    choice: Choice = function
    return choice


def _needs(name: str, needs: object) -> frozenset[Need]:
    try:
        if isinstance(needs, str) or not isinstance(needs, Iterable):
            raise ValueError(f"{needs!r} is no set")
        return frozenset(Need(need) for need in needs)
    except ValueError as error:
        known = ", ".join(Need)
        raise BadInput(
            f"the strategy {name} has the attribute needs, which must hold some of {known}: {error}"
        ) from error


def _has(pool: Pool, need: Need) -> bool:
    """Whether the pool has the array. Labelled texts may be missing: a model may have been trained on none."""
    if need is Need.EMBEDDINGS:
        return len(pool.embeddings) == len(pool)
    return need is Need.LABELLED or (
        pool.dropout.ndim == 3 and pool.dropout.shape[:2] == (len(pool.dropout), len(pool))
    )


def _fault(chosen: Positions, texts: int, size: int) -> str | None:
    """What is wrong with a choice, as the end of a sentence."""
    if chosen.ndim != 1:
        return f"returned an array of {chosen.ndim} dimensions, where one row number for each text is due"
    if len(chosen) and not np.issubdtype(chosen.dtype, np.integer):
        return f"returned {chosen.dtype} numbers, where whole row numbers are due"
    if len(chosen) > size:
        return f"returned {len(chosen)} texts, where at most {size} are due"
    if ((chosen < 0) | (chosen >= texts)).any():
        return f"returned a row that the pool of {texts} texts does not have"
    return "returned a text twice" if len(np.unique(chosen)) < len(chosen) else None
