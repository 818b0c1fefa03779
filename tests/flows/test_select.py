"""Annotators can be asked before there is a champion, and a schedule never fails in a new home."""

import uuid

import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from flows.select import select
from flows.steps.asking import NO_DOUBTS, NOTHING_YET
from flows.wiring.parts import Parts
from flows.wiring.policies import SelectPolicy
from storage.records import TaskState
from tests.fixtures_home import put_text, sentence
from tests.fixtures_label_studio import LabelStudioServer
from tests.fixtures_prefect import AUTH


def set_environment(monkeypatch: pytest.MonkeyPatch, parts: Parts, **more: str) -> None:
    """The home of the parts, as a worker reads it."""
    home, seed, base = parts.settings.home, parts.settings.seed_data, parts.settings.base_model
    for name, value in {"HOME": str(home), "SEED_DATA": seed, "BASE_MODEL": base, **more}.items():
        monkeypatch.setenv(f"FINLOOP_{name}", value)


def test_a_select_in_a_new_home_needs_no_server_and_says_what_to_do(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_environment(monkeypatch, parts)
    assert select.fn().message == NO_DOUBTS
    assert select.fn(SelectPolicy(strategy="typical")).message == NOTHING_YET


def test_a_select_without_a_champion_sends_typical_texts(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, label_studio: LabelStudioServer, prefect_server: str
) -> None:
    texts = {put_text(parts, sentence(number, "waits in the stream")).text_id for number in range(6)}
    set_environment(
        monkeypatch,
        parts,
        LABEL_STUDIO_URL=label_studio.url,
        LABEL_STUDIO_TOKEN=label_studio.token,
        LABEL_STUDIO_PROJECT=uuid.uuid4().hex,
        RECEIVER_URL="http://127.0.0.1:9",
        WEBHOOK_SECRET="secret",
    )
    assert select.fn().message == NO_DOUBTS
    api = {PREFECT_API_URL: f"{prefect_server}/api", PREFECT_API_AUTH_STRING: AUTH.get_secret_value()}
    with temporary_settings(api):
        said = str(select.fn(SelectPolicy(size=4, strategy="typical")).message)
    sent = [task for text in texts if (task := parts.tasks.get(text)) is not None]
    assert [task.state for task in sent] == [TaskState.SENT] * 4
    assert said.startswith("4 texts sent to ")
    assert said.endswith("so they were chosen by how typical they are: `finloop retrain` makes the first model")
