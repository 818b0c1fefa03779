"""Measures what labels brought, after a verdict was delivered: from then on no fault makes a failed run.

A fault is kept in place of the number, so that a report and `finloop status` say why there is none.
"""

from collections.abc import Callable
from functools import partial
from textwrap import shorten
from typing import TypeVar

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.exceptions import CancelledRun

from flows import artifacts
from flows.steps.random_share import RandomShare, is_due, last_yardstick, random_share, told_by_curve
from flows.steps.stability import stability
from flows.steps.worth import Evaluated, keep, learning_curve
from flows.steps.yardstick import Trainer, yardstick
from flows.wiring.cures import settings_named
from flows.wiring.parts import Parts
from flows.wiring.policies import RetrainPolicy
from storage.errors import Busy, FinloopError
from storage.models.registry import ModelVersion
from storage.models.stability import Stability
from storage.models.worth import Yardstick

LONGEST = 300
"""Characters of a fault: an error of a driver may list the whole memory."""

Found = TypeVar("Found")

_measure = task(name="measure", cache_policy=NO_CACHE)(learning_curve)
_compare = task(name="compare versions", cache_policy=NO_CACHE)(stability)
_yardstick = task(name="yardstick", cache_policy=NO_CACHE)(yardstick)


def measure_evidence(parts: Parts, policy: RetrainPolicy, candidate: ModelVersion) -> Yardstick | None:
    """Measure, keep and show what labels brought. What takes seconds is shown before what takes another training.

    Returns what the gain costs at random: for the candidate, else for the last version of which it is known.
    """
    return tolerated("the report on the labels", partial(_measured, parts, policy, candidate), lambda _: None)


def tolerated(what: str, attempt: Callable[[], Found], without: Callable[[str], Found]) -> Found:
    """What the attempt returns; where it fails, what `without` makes of the fault, which is logged as a warning.

    A run that lost its lease, or that a person cancelled, still ends here.
    """
    try:
        with settings_named():
            return attempt()
    except (Busy, CancelledRun):
        raise
    except Exception as error:  # noqa: BLE001 (a training has the errors of every library under it)
        fault = f"{what} failed: {_in_a_line(error)}"
        get_run_logger().warning(fault, exc_info=True)
        return without(fault)


def _measured(parts: Parts, policy: RetrainPolicy, candidate: ModelVersion) -> Yardstick | None:
    registry, version = parts.registry, candidate.version
    evaluated, stable = _evaluated(parts, candidate), _compared(parts, candidate)
    share = random_share(candidate, registry, parts.tasks, parts.datasets)
    told = told_by_curve(share, evaluated.curve)
    kept = keep(version, registry, curve=evaluated.curve, stability=stable, yardstick=told)
    shown = told or last_yardstick(registry)
    artifacts.show_worth(version, kept.model_copy(update={"yardstick": shown}))
    if told is None and is_due(policy.yardstick, share, registry):
        shown = _trained_at_random(parts, policy, share, evaluated)
        artifacts.show_worth(version, keep(version, registry, yardstick=shown))
    return shown


def _evaluated(parts: Parts, candidate: ModelVersion) -> Evaluated:
    return tolerated(
        "running the versions on the audit rows",
        lambda: _measure(candidate, parts.registry, parts.labels, parts.datasets, parts.scheme),
        Evaluated.unknown,
    )


def _compared(parts: Parts, candidate: ModelVersion) -> Stability | None:
    return tolerated(
        "comparing the versions",
        lambda: _compare(candidate, parts.registry, parts.texts, parts.scheme),
        Stability.unknown,
    )


def _trained_at_random(parts: Parts, policy: RetrainPolicy, share: RandomShare, evaluated: Evaluated) -> Yardstick:
    progress = artifacts.Progress("yardstick", "training on the random share of the labels")
    return tolerated(
        "the training on the random share of its labels",
        lambda: _yardstick(
            share, evaluated, Trainer(parts.base_model, policy.recipe, progress), parts.registry, parts.scheme
        ),
        partial(share.unknown, evaluated.curve.audit_rows),
    )


def _in_a_line(error: Exception) -> str:
    """An error of ours as it is written for a person; another one with its kind."""
    words = str(error) if isinstance(error, FinloopError) else f"{type(error).__name__}: {error}"
    return shorten(words, LONGEST, placeholder=" …").rstrip(".: ")
