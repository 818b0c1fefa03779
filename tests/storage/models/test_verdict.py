"""A verdict is one typed value, and the verdicts of earlier versions of finloop are still read."""

import json
import re

import pytest

from storage.models.verdict import Check, Decision, Verdict
from tests.homes.opening import HOME_1

CHECK = Check(name="audit rows", value=3, threshold=50, passed=False, why="3 of 50")


def a_verdict(decision: Decision) -> Verdict:
    return Verdict(decision=decision, reason="so", checks=(CHECK,), champion=None, candidate="2", dataset="data")


@pytest.mark.parametrize("decision", list(Decision))
def test_only_a_promotion_may_be_served(decision: Decision) -> None:
    assert a_verdict(decision).promoted is (decision is Decision.PROMOTE)


@pytest.mark.parametrize("decision", list(Decision))
def test_a_verdict_is_the_same_after_it_was_stored(decision: Decision) -> None:
    verdict = a_verdict(decision)
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_every_verdict_of_an_earlier_home_is_read() -> None:
    stored = re.findall(r"VALUES\('verdict','(.*)','finloop'", (HOME_1 / "mlflow.sql").read_text(encoding="utf-8"))
    assert len(stored) == 3
    for line in stored:
        old = json.loads(line.replace("''", "'"))
        verdict = Verdict.model_validate(old)
        assert verdict.decision is (Decision.PROMOTE if old["promoted"] else Decision.REFUSE)
        assert json.loads(verdict.model_dump_json(exclude={"decision", "judged_at"})) == {
            name: value for name, value in old.items() if name != "promoted"
        }


def test_every_verdict_that_an_earlier_home_kept_beside_a_dataset_stands_beside_its_model() -> None:
    """The migration drops the copies beside the datasets."""
    expected = json.loads((HOME_1 / "expected.json").read_text(encoding="utf-8"))
    beside_models = [one["verdict"] for one in expected["registry_versions"]]
    beside_datasets = [one["verdict"] for one in expected["datasets"] if one["verdict"] is not None]
    assert len(beside_datasets) == 3
    assert all(verdict in beside_models for verdict in beside_datasets)
