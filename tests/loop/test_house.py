"""What `finloop up` has running does what the verbs and deployments promise, from a refused retrain to a rollback."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from deployments.local.prefect_file import read_prefect_file
from flows.prefect_api.connection import login_header
from flows.prefect_api.events import event_id
from flows.steps.recover import RETRAIN_LEASE, RUN_LEASE
from flows.wiring.settings import REPOSITORY
from storage.clock import now
from storage.records import TaskState
from tests.loop.conftest import AUDIT, SELECTED, Answered, First
from tests.loop.house import House, until

LEFT = {"scores", "audit-tasks", "select-tasks", "select-project", "dataset", "verdict", "served", "serving"}
PICTURES = {"confusion-audit", "confusion-seed"}


def test_a_refused_retrain_is_a_completed_run_that_says_why(house: House, first: First) -> None:
    assert first.refused.state == "COMPLETED"
    assert "obvious cases" in first.refused.message
    verdict = house.parts.registry.resolve(first.version).verdict
    assert verdict is not None
    assert not verdict.promoted
    assert not {check.name: check.passed for check in verdict.checks}["obvious cases"]


def test_a_second_retrain_finds_nothing_new(first: First) -> None:
    assert first.again.state == "COMPLETED"
    assert first.again.message.startswith("nothing new")


def test_a_retrain_waits_for_the_one_that_holds_the_lease(house: House, first: First) -> None:
    with house.parts.leases.hold(RETRAIN_LEASE, RUN_LEASE):
        run = house.runs.start("retrain", {})
        until(lambda: house.runs.get(run).state == "RUNNING", "the run did not begin")
        began = now()
        until(lambda: (now() - began).total_seconds() > 5, "time stands still")
        assert not house.runs.get(run).finished
    assert house.ended(run).message.startswith("nothing new")


def test_a_refused_version_is_served_only_by_force(house: House, first: First) -> None:
    assert first.unforced.state == "FAILED"
    assert "was not promoted by the gate" in first.unforced.message
    assert (first.forced.state, first.forced.message) == ("COMPLETED", f"version {first.version} is served")


def test_audit_tasks_do_not_show_the_models_answer_and_selected_ones_do(house: House, answered: Answered) -> None:
    def shown(number: int | None) -> str:
        task = house.parts.studio.get(f"/api/tasks/{number}")
        assert task["predictions"] == []
        return str(task["data"]["suggestion"])

    assert (len(answered.audit), len(answered.selected)) == (AUDIT, SELECTED)
    assert [shown(task.task_id) for task in answered.audit] == [""] * AUDIT
    assert all(shown(task.task_id).startswith("The model's answer: ") for task in answered.selected)


def test_every_answer_came_by_webhook_and_is_a_label(house: House, answered: Answered) -> None:
    counts = house.parts.tasks.counts()
    assert {purpose: set(states) for purpose, states in counts.items() if states} == {
        task.purpose: {TaskState.ANSWERED} for task in (answered.audit[0], answered.selected[0])
    }
    assert {label.text_id for label in house.parts.labels.trainable()} == {one.text_id for one in answered.selected}
    assert {label.text_id for label in house.parts.labels.audit()} == {one.text_id for one in answered.audit}
    assert sum(house.parts.inbox.counts().values()) == AUDIT + SELECTED


def test_enough_labels_start_one_retrain_by_one_event(house: House, answered: Answered) -> None:
    (run,) = [run for run in answered.retrains if run.created_by == "event"]
    assert run.state == "COMPLETED"
    assert run.event_id == str(event_id(f"retrain:{answered.watermark}"))
    newest = house.parts.registry.versions()[-1]
    trained = house.parts.datasets.load(newest.manifest.dataset_version)
    labelled = {task.text_id for task in answered.selected}
    asked = {task.text_id for task in answered.audit}
    assert labelled & {row.text_id for row in trained.rows}
    assert not asked & {row.text_id for row in trained.rows}


def test_every_run_leaves_what_a_person_reads(house: House, answered: Answered) -> None:
    server = house.parts.settings.needed("prefect_url")
    url, login = f"{server}/api/artifacts/latest/filter", login_header(house.settings.prefect_auth)
    listed = httpx.post(url, json={"limit": 100}, headers=login).raise_for_status().json()
    found = {one["key"]: str(one["data"]).replace("\\\\", "\\").replace("\\", "") for one in listed}  # not escaped
    assert found.keys() >= LEFT | PICTURES
    assert all(found[key].startswith("data:image/png;base64,") for key in PICTURES)
    verdict = house.parts.registry.versions()[-1].verdict
    assert verdict is not None and verdict.reason in found["verdict"]
    assert answered.selected[0].text[:20] in found["select-tasks"]
    worth = [int(number) for number in re.findall(r'"worth": "(\d+)"', found["select-tasks"])]
    assert worth == list(range(1, SELECTED + 1))
    assert found["select-tasks"].count("drawn at random") == SELECTED, "the champion has learnt no label yet"
    assert "had already seen PhraseBank labels" in found["verdict"]
    assert {one["base model"].partition(" ")[2] for one in house.json("models")} == {"(saw PhraseBank labels)"}


def test_status_says_how_far_it_is_to_the_next_retrain(house: House, answered: Answered) -> None:
    found = house.json("status")
    new = house.parts.labels.trainable_since(house.parts.datasets.watermark())
    assert (found["labels_new"], found["retrain_after"]) == (new, 10)
    assert found["served"]["version"] == house.model()["version"]
    assert found["label_studio"]["state"] == "up"
    assert found["prefect"]["state"] == "up"


@contextmanager
def one_flipped_byte(weights: Path) -> Iterator[None]:
    """One wrong bit in the middle of a file; mended at the end."""
    whole = weights.read_bytes()
    middle = len(whole) // 2
    mode = weights.stat().st_mode
    weights.chmod(0o600)
    weights.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    try:
        yield
    finally:
        weights.write_bytes(whole)
        weights.chmod(mode)


def test_one_flipped_byte_fails_the_deploy_and_the_old_version_goes_on(house: House, answered: Answered) -> None:
    old, new = house.answering(), house.parts.registry.versions()[-1].version
    assert new != old
    with one_flipped_byte(house.parts.registry.folder(new) / "model.safetensors"):
        run = house.ended(house.runs.start("deploy", {"version": new, "force": True}))
        assert run.state == "FAILED"
        assert "model.safetensors" in run.message
        assert house.answering() == old
        assert house.parts.registry.aliases()["champion"] == old
        details = {one["subject"] if one["kind"] == "intent" else one["kind"]: one["detail"]
                   for one in house.json("status")["problems"]}  # fmt: skip
        assert "model.safetensors" in details[f"promote:{new}"]
        assert "model.safetensors" in details["serving"]


def test_rollback_brings_the_previous_champion_back(house: House, answered: Answered) -> None:
    old, new = house.answering(), house.parts.registry.versions()[-1].version
    house.run("deploy", version=new, force=True)
    assert house.answering() == new
    assert house.parts.registry.aliases() | {"challenger": ""} == {"champion": new, "previous": old, "challenger": ""}
    assert house.json("status")["problems"] == []
    assert house.json("rollback")["state"] == "COMPLETED"
    assert house.answering() == old
    assert house.parts.registry.aliases()["champion"] == old


def page(house: House, url: str) -> str:
    """What a browser makes of a page, as HTML; its log goes with a failure."""
    browser = os.environ.get("FINLOOP_TEST_BROWSER")
    if not browser:
        pytest.skip("FINLOOP_TEST_BROWSER is not set: no browser to look at the pages with")
    profile = house.settings.home.parent / "browser"
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --virtual-time-budget=10000 --dump-dom"
    try:
        done = subprocess.run(
            [browser, *flags.split(), f"--user-data-dir={profile}", url],
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
    finally:
        shutil.rmtree(profile, ignore_errors=True)
    return done.stdout


def test_a_browser_shows_the_served_version(house: House, first: First) -> None:
    shown = page(house, house.settings.needed("serving_url"))
    assert f"model version <strong>{house.answering()}</strong>" in shown
    assert "/predict" in page(house, f"{house.settings.serving_url}/docs")


def test_prefect_tells_nobody_anything_without_the_login(house: House) -> None:
    """Who can start a run has a command executed as the worker's user."""
    url = f"{house.settings.prefect_url}/api/deployments/filter"
    assert httpx.post(url, json={}).status_code == 401
    found = httpx.post(url, json={}, headers=login_header(house.settings.prefect_auth)).raise_for_status().json()
    assert {one["name"] for one in found} == {one["name"] for one in read_prefect_file(REPOSITORY)["deployments"]}
