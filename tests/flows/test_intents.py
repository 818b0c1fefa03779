"""Intents are values; how they are stored is spelled as in every home that exists."""

import json
from pathlib import Path
from typing import Any

import pytest

from deployments.local.prefect_file import read_prefect_file
from flows import intents
from flows.intents import Deploy, Event, Known, Promote, Resume, Retrain, Score, read
from flows.wiring.settings import REPOSITORY
from storage.clock import now
from storage.work.outbox import Entry
from tests.homes.opening import HOME_1

OF_HOME_1: dict[str, dict[str, Any]] = json.loads(Path(HOME_1, "expected.json").read_text(encoding="utf-8"))["outbox"]
SCORE = Score("3", now())
VALUES: dict[str, Known] = {
    "retrain:31": Retrain(31, labels=3),
    "retrain:0": Retrain(0, labels=7),
    "resume:441a8cc5d17c7930:1": Resume("441a8cc5d17c7930", 31, attempt=1),
    "deploy:2:1": Deploy("2", attempt=1),
    "promote:2": Promote("2"),
    "promote:3": Promote("3", forced=True),
}


def entry(key: str, kind: str, payload: dict[str, Any]) -> Entry:
    return Entry(key, kind, payload, now(), None, 0, None)


def kept(intent: Known) -> Entry:
    return entry(intent.key, intent.kind, intent.payload)


@pytest.mark.parametrize("key", VALUES)
def test_an_intent_is_spelled_as_in_a_home_of_before(key: str) -> None:
    stored = OF_HOME_1[key]
    assert (VALUES[key].key, VALUES[key].kind, VALUES[key].payload) == (key, stored["kind"], stored["payload"])


@pytest.mark.parametrize("intent", [*VALUES.values(), Resume(None, 7, attempt=2), SCORE])
def test_an_intent_is_read_back_as_it_was(intent: Known) -> None:
    assert read(kept(intent)) == intent


def test_a_resumed_training_is_named_by_its_dataset_or_else_by_the_labels_it_has() -> None:
    assert Resume("441a8cc5d17c7930f0a6", 31, attempt=2).key == "resume:441a8cc5d17c7930:2"
    assert Resume(None, 31, attempt=2).key == "resume:31:2"


def test_the_gates_promotions_of_older_homes_are_not_forced() -> None:
    assert read(entry("promote:2", "promote", {"version": "2"})) == Promote("2", forced=False)


def test_an_entry_of_a_kind_that_nobody_knows_is_no_intent() -> None:
    assert read(entry("unfinished:7", "unfinished", {})) is None


def test_enough_labels_and_a_resumed_training_start_the_same_deployment() -> None:
    assert Retrain.event == Resume.event != Deploy.event
    assert Promote.event is None


def test_the_table_names_every_intent() -> None:
    assert intents.__doc__ is not None
    assert {type(value).__name__ for value in (*VALUES.values(), SCORE)} == {
        line.split("|")[1].strip() for line in intents.__doc__.splitlines() if line.startswith("| ") and line[2] != " "
    } - {"intent"}


def test_the_events_of_intents_are_those_that_prefect_yaml_waits_for() -> None:
    triggers = [
        one for deployment in read_prefect_file(REPOSITORY)["deployments"] for one in deployment.get("triggers", [])
    ]
    expected = {Event(one["expect"][0], one["match"]["prefect.resource.id"]) for one in triggers}
    assert {
        event for event in (Retrain.event, Resume.event, Deploy.event, Promote.event, Score.event) if event
    } == expected
