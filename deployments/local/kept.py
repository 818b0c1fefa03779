"""Keeps what people changed in Prefect's pages, which `prefect deploy` would put back at every start.

A record in the home holds, for each field of a deployment, what prefect.yaml said and what the server had after that. A
server that differs from the record was changed by people. Their value stays until prefect.yaml's own value changes.
"""

import json
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIELDS = ("schedules", "parameters", "description", "tags", "concurrency_limit", "paused")
TRIGGERS = "triggers"
SCHEDULE = ("cron", "interval", "rrule", "timezone")
Values = dict[str, Any]


@dataclass(frozen=True)
class Merged:
    """prefect.yaml with people's changes in it; which (deployment, field) pairs were kept, and which are put back."""

    content: Values
    kept: list[tuple[str, str]] = field(default_factory=list)
    put_back: list[tuple[str, str]] = field(default_factory=list)

    def said(self) -> list[str]:
        """A sentence for each change."""
        declared = {one["name"]: one for one in self.content["deployments"]}
        return [
            *(
                f"{name}: kept what was changed in Prefect's pages: {_shown(key, declared[name].get(key))}"
                for name, key in self.kept
            ),
            *(
                f"{name}: {key} changed in Prefect's pages, and put back, because prefect.yaml has a new value"
                for name, key in self.put_back
            ),
        ]


def on_server(deployment: Values, automations: list[Values]) -> Values:
    """The fields of a deployment as the server has them, spelled as in prefect.yaml; triggers as name -> enabled."""
    limit = deployment.get("global_concurrency_limit") or {}
    options = deployment.get("concurrency_options") or {}
    return {
        "schedules": [_schedule(one) for one in deployment["schedules"]],
        "parameters": deployment["parameters"],
        "description": deployment["description"],
        "tags": sorted(deployment["tags"]),
        "concurrency_limit": {"limit": limit.get("limit"), "collision_strategy": options.get("collision_strategy")},
        "paused": deployment["paused"],
        TRIGGERS: {one["name"]: one["enabled"] for one in automations},
    }


def merge(content: Values, server: dict[str, Values], record: dict[str, Values]) -> Merged:
    """prefect.yaml's content with every change of people's that it does not contradict.

    `server` has the fields of each deployment that is there (`on_server`), `record` those of the last `remember`.
    """
    merged = Merged(deepcopy(content))
    for declared in merged.content["deployments"]:
        name, before = declared["name"], record.get(declared["name"])
        if before is None or name not in server:
            continue
        for key in (*FIELDS, TRIGGERS):
            if server[name][key] == before["server"].get(key):
                continue
            if _in_file(declared, key) != before["file"].get(key):
                merged.put_back.append((name, key))
                continue
            _put(declared, key, server[name][key])
            merged.kept.append((name, key))
    return merged


def remember(
    merged: Merged, content: Values, server: dict[str, Values], record: dict[str, Values]
) -> dict[str, Values]:
    """The record after prefect.yaml was applied. What people changed is remembered as it was before their change."""
    made: dict[str, Values] = {}
    for declared in content["deployments"]:
        name = declared["name"]
        if name not in server:
            continue
        file = {key: _in_file(declared, key) for key in (*FIELDS, TRIGGERS)}
        made[name] = {"file": file, "server": dict(server[name])}
    for name, key in merged.kept:
        if name in made:
            made[name]["server"][key] = record[name]["server"].get(key)
    return made


def read_record(path: Path) -> dict[str, Values]:
    """The record of the last start; empty where there is none, or none that can be read."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_record(path: Path, record: dict[str, Values]) -> None:
    """Replace the record."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(record, indent=2, default=str))
    aside.replace(path)


def _in_file(declared: Values, key: str) -> Any:
    if key == TRIGGERS:
        return {one["name"]: one.get("enabled", True) for one in declared.get(TRIGGERS, [])}
    return declared.get(key)


def _put(declared: Values, key: str, value: Any) -> None:
    if key != TRIGGERS:
        declared[key] = value
        return
    for trigger in declared.get(TRIGGERS, []):
        trigger["enabled"] = value.get(trigger["name"], True)


def _schedule(one: Values) -> Values:
    made: Values = {"active": one["active"]}
    made |= {key: one["schedule"][key] for key in SCHEDULE if one["schedule"].get(key) is not None}
    made |= {key: one[key] for key in ("slug", "parameters") if one.get(key)}
    return made


def _shown(key: str, value: Any) -> str:
    if key == TRIGGERS:
        value = {one["name"]: "on" if one.get("enabled", True) else "off" for one in value or []}
    return f"{key} {json.dumps(value, default=str)}"
