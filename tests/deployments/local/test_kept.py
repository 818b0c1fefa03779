"""A change in Prefect's pages stays through any number of starts, until prefect.yaml's own value changes."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.local.kept import FIELDS, TRIGGERS, Merged, merge, read_record, remember, write_record

VALUES: dict[str, tuple[Any, Any, Any]] = {
    "schedules": ([{"cron": "0 6 * * *"}], [{"cron": "0 7 * * *"}], [{"cron": "0 8 * * *"}]),
    "parameters": ({"policy": {"size": 1}}, {"policy": {"size": 2}}, {}),
    "description": ("a", "b", "c"),
    "tags": ([], ["mine"], ["ours"]),
    "concurrency_limit": ({"limit": 1}, {"limit": 2}, {"limit": 3}),
    "paused": (False, True, False),
    TRIGGERS: ({"labels": True}, {"labels": False}, {"labels": True}),
}
"""For each field: the file's value, people's, and another value of the file."""


def file(**values: Any) -> dict[str, Any]:
    fields = {key: VALUES[key][0] for key in FIELDS} | values
    return {"deployments": [{"name": "select", **fields, TRIGGERS: [{"name": "labels"}]}]}


def start(
    content: dict[str, Any], server: dict[str, Any], record: dict[str, Any]
) -> tuple[Merged, dict[str, Any], dict[str, Any]]:
    """One `up`: the merge, and server and record after Prefect has done what the merged file says."""
    merged = merge(content, {"select": server} if server else {}, record)
    (declared,) = deepcopy(merged.content)["deployments"]
    after = {key: declared[key] for key in FIELDS}
    after[TRIGGERS] = {one["name"]: one.get("enabled", True) for one in declared[TRIGGERS]}
    return merged, after, remember(merged, content, {"select": after}, record)


@given(changed=st.sets(st.sampled_from([*FIELDS, TRIGGERS])), starts=st.integers(1, 4))
def test_what_people_changed_and_only_that_stays_through_every_start(changed: set[str], starts: int) -> None:
    _, server, record = start(file(), {}, {})
    server.update({key: VALUES[key][1] for key in changed})
    wanted = dict(server)
    for _ in range(starts):
        merged, server, record = start(file(), server, record)
        assert {key for _, key in merged.kept} == changed
        assert len(merged.said()) == len(changed) and merged.put_back == []
        assert server == wanted


@pytest.mark.parametrize("key", sorted(set(FIELDS) - {"paused"}))
def test_a_new_value_of_the_file_wins_and_is_said_where_people_had_another(key: str) -> None:
    _, server, record = start(file(), {}, {})
    merged, server, record = start(file(), {**server, key: VALUES[key][1]}, record)
    assert server[key] == VALUES[key][1]
    merged, server, record = start(file(**{key: VALUES[key][2]}), server, record)
    assert server[key] == VALUES[key][2]
    assert merged.put_back == [("select", key)] and f"select: {key}" in merged.said()[0]
    assert start(file(**{key: VALUES[key][2]}), server, record)[0].said() == []


def test_a_change_that_people_take_back_is_forgotten() -> None:
    _, server, record = start(file(), {}, {})
    _, changed, record = start(file(), {**server, "paused": True}, record)
    merged, _, record = start(file(), {**changed, "paused": False}, record)
    assert merged.said() == []
    assert start(file(description="new"), server, record)[1]["description"] == "new"


def test_a_home_without_a_record_has_what_the_file_says(tmp_path: Path) -> None:
    _, server, _ = start(file(), {}, {})
    assert start(file(), {**server, "paused": True}, {})[1]["paused"] is False
    path = tmp_path / "prefect" / "applied.json"
    assert read_record(path) == {}
    write_record(path, {"select": server})
    assert read_record(path) == {"select": server}
    path.write_text("{half")
    assert read_record(path) == {}
