"""A webhook in the spool is there as a whole or not at all, and reaches the inbox in the order of its arrival."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from storage.labels.inbox import Inbox
from storage.labels.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "webhooks")


def test_webhooks_reach_the_inbox_once_and_in_order(spool: Spool, engine: Engine) -> None:
    inbox = Inbox(engine)
    for number in range(20):
        spool.put("ANNOTATION_CREATED", {"number": number, "text": "Zürich ✓"})
    assert spool.count() == 20
    assert spool.move_into(inbox) == 20
    assert [row.payload["number"] for row in inbox.waiting()] == list(range(20))
    assert (spool.move_into(inbox), spool.count()) == (0, 0)


def test_an_empty_spool_makes_no_folder(spool: Spool, tmp_path: Path, engine: Engine) -> None:
    assert spool.move_into(Inbox(engine)) == 0
    assert list(tmp_path.glob("webhooks")) == []


def test_a_webhook_that_could_not_be_written_leaves_nothing(spool: Spool, tmp_path: Path) -> None:
    spool.put("A", {})
    with pytest.raises(TypeError):
        spool.put("A", {"cannot be JSON": object()})
    assert len(list((tmp_path / "webhooks").glob("*.json"))) == 1


def test_only_the_owner_can_read_a_webhook(spool: Spool, tmp_path: Path) -> None:
    spool.put("A", {"annotator": "somebody"})
    (path,) = (tmp_path / "webhooks").glob("*.json")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text())["payload"] == {"annotator": "somebody"}


def test_a_file_that_is_no_webhook_holds_up_no_other(spool: Spool, tmp_path: Path, engine: Engine) -> None:
    spool.put("A", {"number": 1})
    for name, content in (("00.json", ""), ("01.json", "[]"), ("02.json", '{"action": "A"}')):
        (tmp_path / "webhooks" / name).write_text(content)
    assert spool.move_into(Inbox(engine)) == 1
    assert spool.count() == 0
    assert len(list((tmp_path / "webhooks").glob("*.unreadable"))) == 3
