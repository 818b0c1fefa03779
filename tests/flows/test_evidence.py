"""A fault after the verdict is a sentence in place of a number; only who ends a run ends it."""

import pytest
from prefect.exceptions import CancelledRun
from prefect.logging import disable_run_logger

from flows.evidence import LONGEST, tolerated
from flows.steps.worth import Evaluated
from storage.errors import BadInput, Busy, Part, Unreachable
from storage.models.stability import Stability


def fault_of(error: BaseException) -> str:
    """What is kept of a measurement that raises this error."""

    def fails() -> str:
        raise error

    with disable_run_logger():
        return tolerated("the comparison", fails, lambda fault: fault)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BadInput("there are no rows.\nGive some."), "the comparison failed: there are no rows. Give some"),
        (MemoryError(), "the comparison failed: MemoryError"),
        (RuntimeError("CUDA out of memory."), "the comparison failed: RuntimeError: CUDA out of memory"),
        (
            Unreachable(Part.PREFECT, "http://there", "refused"),
            "the comparison failed: no Prefect answers at http://there (FINLOOP_PREFECT_URL): refused. "
            "Start it with `finloop up`, or correct the address",
        ),
    ],
)
def test_a_fault_after_the_verdict_is_a_sentence_with_its_cure(error: Exception, said: str) -> None:
    assert fault_of(error) == said


def test_a_fault_that_lists_the_whole_memory_is_cut() -> None:
    assert len(fault_of(RuntimeError("allocated block " * 1000))) < LONGEST + 50


@pytest.mark.parametrize("end", [Busy("another process holds the lease"), CancelledRun(), KeyboardInterrupt()])
def test_a_run_that_lost_its_lease_or_was_cancelled_ends(end: BaseException) -> None:
    with pytest.raises(type(end)):
        fault_of(end)


@pytest.mark.parametrize("found", [Evaluated.unknown("it broke").curve, Stability.unknown("it broke")])
def test_what_could_not_be_measured_says_why(found: Stability) -> None:
    assert found.sentence == "unknown: it broke"
