"""What sync makes good while a server is away."""

import pytest

from flows.intents import Deploy
from flows.sync import sync
from flows.wiring.parts import Parts
from flows.wiring.policies import SyncPolicy
from storage.errors import Unreachable
from tests.deployments.serving.models import free_port
from tests.flows.prefect_api.test_events import event_server


def test_a_label_studio_that_is_away_holds_up_no_event(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    parts.outbox.intend(Deploy("2", attempt=1))
    with event_server() as (url, got):
        for name, value in {
            "HOME": str(parts.settings.home),
            "LABEL_STUDIO_URL": f"http://127.0.0.1:{free_port()}",
            "LABEL_STUDIO_TOKEN": "t",
            "RECEIVER_URL": "http://127.0.0.1:9",
            "WEBHOOK_SECRET": "s",
            "PREFECT_URL": url,
        }.items():
            monkeypatch.setenv(f"FINLOOP_{name}", value)
        with pytest.raises(Unreachable, match="no Label Studio answers"):
            sync.fn(SyncPolicy())
    assert [event["payload"]["version"] for event in got] == ["2"]
    assert parts.outbox.open() == []
