"""Turns skips into failures where a run must not skip: CI names what it gave in FINLOOP_TEST_REQUIRE.

A test that needs an address says so in its skip (`FINLOOP_TEST_POSTGRESQL is not set: ...`); a run with
`FINLOOP_TEST_REQUIRE="POSTGRESQL BROWSER"` fails where such a skip names one of these.
"""

import os
import re
from collections.abc import Generator

import pytest


def required_by(reason: str) -> list[str]:
    """The requirements of this run that a skip's reason names."""
    named = re.findall(r"FINLOOP_TEST_(\w+)", reason)
    required = os.environ.get("FINLOOP_TEST_REQUIRE", "").upper().split()
    return [name for name in required if any(part == name or part.startswith(f"{name}_") for part in named)]


def _fail_if_required(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2]
        if missing := required_by(reason):
            report.outcome = "failed"
            report.longrepr = f"FINLOOP_TEST_REQUIRE names {', '.join(missing)}, and this was skipped: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _fail_if_required(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _fail_if_required(report)
    return report
