"""A retrain's report says what the gain costs at random, by a second training when it is due, which may fail."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from deployments.cli.status import standing
from flows.retrain import retrain
from flows.steps.random_share import LEAST_RANDOM
from flows.wiring.parts import Parts
from storage.models.places import UNREGISTERED
from storage.models.worth import LEAST_AUDIT_ROWS, Evidence
from tests.fixtures_home import POLICY
from tests.fixtures_prefect import AUTH
from tests.flows.steps.test_worth import audited
from tests.flows.steps.test_yardstick import asked, judged


@pytest.fixture
def retrained(parts: Parts, prefect_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Evidence]]:
    """Runs the flow on the home of `parts`, and says what it kept beside the newest version."""
    given = parts.settings
    for name, value in {
        "HOME": given.home,
        "SEED_DATA": given.seed_data,
        "BASE_MODEL": given.base_model,
        "PREFECT_URL": prefect_server,
        "PREFECT_AUTH": AUTH.get_secret_value(),
    }.items():
        monkeypatch.setenv(f"FINLOOP_{name}", str(value))
    ours = {PREFECT_API_AUTH_STRING: AUTH.get_secret_value(), PREFECT_LOGGING_TO_API_ENABLED: "false"}

    def run() -> Evidence:
        retrain(POLICY)
        return parts.registry.versions()[-1].evidence

    with temporary_settings({PREFECT_API_URL: f"{prefect_server}/api", **ours}):
        yield run


def labelled(parts: Parts, model: Path) -> None:
    """A first version, and labels since that make a second training due."""
    audited(parts, LEAST_AUDIT_ROWS)
    judged(parts, model, 0)
    asked(parts, LEAST_RANDOM, "random")
    asked(parts, 5, "strategy")


def test_a_second_model_is_trained_once_and_the_next_report_repeats_its_number(
    parts: Parts, tiny_model: Path, retrained: Callable[[], Evidence], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr("flows.artifacts.create_markdown_artifact", lambda words, **_: shown.append(words))
    labelled(parts, tiny_model)
    measured = retrained().yardstick
    assert measured is not None and measured.trained
    asked(parts, 4, "quota")
    assert retrained().yardstick is None
    assert f"the {LEAST_RANDOM + 5} labels of version {measured.version} brought" in shown[-1]


def test_a_second_training_that_fails_leaves_the_run_its_verdict_and_says_why_there_is_no_number(
    parts: Parts, tiny_model: Path, retrained: Callable[[], Evidence]
) -> None:
    labelled(parts, tiny_model)
    in_the_way = parts.registry.artifacts / UNREGISTERED / "yardstick"
    in_the_way.parent.mkdir(parents=True, exist_ok=True)
    in_the_way.touch()  # where the folder of the second model belongs
    evidence = retrained()
    assert parts.registry.versions()[-1].verdict is not None
    assert evidence.curve is not None and evidence.curve.points
    assert evidence.yardstick is not None
    said = evidence.yardstick.sentence
    assert "the training on the random share of its labels failed: NotADirectoryError" in said
    state = standing(parts)
    assert state.evidence.yardstick is not None and state.evidence.yardstick.sentence == said
    assert not parts.problems.open(), "the inputs of the next training are good"
