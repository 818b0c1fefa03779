import io
import time

import pytest
from rich.console import Console

from deployments.demo.console import Steps


def recorded() -> tuple[Steps, io.StringIO]:
    out = io.StringIO()
    return Steps(Console(file=out, width=100)), out


def test_a_finished_step_leaves_a_line_with_its_number_seconds_and_last_words() -> None:
    steps, out = recorded()
    with steps.step("ingest") as step:
        step.progress(0.5, "half")
        step.say("600 texts")
    with steps.step("score"):
        pass
    first, second = out.getvalue().splitlines()
    assert first.startswith("✓ 1. ingest") and first.endswith("600 texts") and " s " in first
    assert second.startswith("✓ 2. score")
    assert list(steps.seconds) == ["ingest", "score"]


def test_a_failed_step_is_marked_and_its_error_passes() -> None:
    steps, out = recorded()
    with pytest.raises(RuntimeError, match="no server"), steps.step("deploy"):
        raise RuntimeError("no server")
    assert out.getvalue().startswith("✗ 1. deploy")
    assert "deploy" in steps.seconds


def test_a_step_that_is_done_twice_keeps_its_number_and_sums_its_seconds() -> None:
    steps, out = recorded()
    for name in ("select", "annotate", "select"):
        with steps.step(name):
            pass
    steps.seconds["select"] = 5.0
    with steps.step("select"):
        pass
    assert [line.split(".")[0] for line in out.getvalue().splitlines()] == ["✓ 1", "✓ 2", "✓ 1", "✓ 1"]
    assert steps.seconds["select"] >= 5.0


def test_a_step_within_a_step_is_booked_once() -> None:
    steps, _ = recorded()
    began = time.monotonic()
    with steps.step("annotate"), steps.step("select"):
        time.sleep(0.3)
    assert steps.seconds["select"] >= 0.3
    assert sum(steps.seconds.values()) <= time.monotonic() - began + 0.1  # each is rounded to a tenth
    assert steps.seconds["annotate"] < 0.3


def test_work_that_was_done_before_a_step_looked_for_it_has_its_own_seconds() -> None:
    steps, out = recorded()
    for took in (4.2, None):
        with steps.step("deploy") as step:
            step.took(took)
    assert "4.2 s" in out.getvalue().splitlines()[0]
    assert 4.2 <= steps.seconds["deploy"] < 5
