"""CI trusts this check: every fault that a report can show is found, and a good report passes."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments.demo.check_report import by_the_rule, faults
from flows.wiring.settings import REPOSITORY

Report = dict[str, Any]


def a_report(promoted: bool = True) -> Report:
    """A loop that closed; where it is not promoted, the audit slice does not get better."""
    return {
        "requests": {"sent": 300, "failed": 0, "mixed": 0, "versions": ["1", "2"]},
        "tasks_duplicated": 0,
        "promoted": promoted,
        "audit": {"before": {"macro_f1": 0.60}, "after": {"macro_f1": 0.66 if promoted else 0.60}},
        "seed": {"before": {"macro_f1": 0.80}, "after": {"macro_f1": 0.79}},
        "verdict": {
            "decision": "promote" if promoted else "refuse",
            "reason": "so it is",
            "checks": [
                {"name": "obvious cases", "passed": True},
                {"name": "better on the audit slice", "passed": promoted},
                {"name": "seed data kept", "passed": True},
            ],
        },
        "runs": {"retrain": {"created_by": "event"}, **({"deploy": {"created_by": "event"}} if promoted else {})},
    }


def changed(path: str, value: Any, report: Report) -> Report:
    made = copy.deepcopy(report)
    *folders, name = path.split(".")
    place = made
    for folder in folders:
        place = place[folder]
    place[name] = value
    return made


@pytest.mark.parametrize("promoted", [True, False])
def test_a_loop_that_closed_has_no_fault(promoted: bool) -> None:
    assert faults(a_report(promoted), must_promote=promoted) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("requests.failed", 1, "1 requests failed"),
        ("requests.mixed", 2, "2 requests mixed"),
        ("requests.sent", 0, "no request was sent"),
        ("requests.versions", ["1"], "only one version answered"),
        ("tasks_duplicated", 3, "3 tasks duplicated"),
        ("verdict.decision", "undecided", "promoted=True is not what the verdict says: undecided"),
        ("audit.after.macro_f1", 0.60, "the rule says False"),
        ("seed.after.macro_f1", 0.77, "the rule says False"),
        ("runs.retrain.created_by", "user", "retrain was started by user"),
        ("runs.deploy.created_by", "schedule", "deploy was started by schedule"),
        ("runs", {"retrain": {"created_by": "event"}}, "deploy was started by nobody"),
    ],
)
def test_every_fault_is_found_and_named(path: str, value: Any, said: str) -> None:
    (found,) = faults(changed(path, value, a_report()), must_promote=True)
    assert said in found


def test_a_refusal_that_the_rule_would_promote_is_a_fault() -> None:
    (found,) = faults(changed("audit.after.macro_f1", 0.7, a_report(False)), must_promote=False)
    assert found == "the verdict is promoted=False, the rule says True"


def test_a_refusal_without_audit_rows_is_none_and_a_promotion_is() -> None:
    """Where people answer they may leave the audit tasks alone: the gate then refuses, as it should."""
    refused, promoted = a_report(False), a_report()
    for report in (refused, promoted):
        del report["audit"]
    assert faults(refused, must_promote=False) == []
    (found,) = faults(promoted, must_promote=False)
    assert found == "it has no audit rows to compare the models on"


def test_a_promotion_is_demanded_only_where_one_is() -> None:
    (found,) = faults(a_report(False), must_promote=True)
    assert found == "nothing was promoted: so it is"


def test_an_absolute_check_that_failed_forbids_a_promotion() -> None:
    report = a_report()
    report["verdict"]["checks"][0]["passed"] = False
    assert not by_the_rule(report)


def test_a_report_without_rows_to_compare_on_is_a_fault_and_no_crash() -> None:
    report = a_report()
    del report["audit"]
    assert faults(report, must_promote=True) == ["it has no audit rows to compare the models on"]


@pytest.mark.parametrize(("failed", "code"), [(0, 0), (1, 1)])
def test_the_command_fails_where_there_is_a_fault(tmp_path: Path, failed: int, code: int) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(changed("requests.failed", failed, a_report())))
    argv = [sys.executable, "-m", "deployments.demo.check_report", str(path), "--promoted"]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code
    assert ("1 requests failed" in done.stderr) == bool(failed)
