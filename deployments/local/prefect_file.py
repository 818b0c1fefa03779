"""Reads prefect.yaml, and spells its names for a Prefect server that several homes share."""

from pathlib import Path
from typing import Any

import yaml

from flows.prefect_api.deployments import flow_of
from flows.prefect_api.server import PrefectServer

RESOURCE = "prefect.resource.id"
Values = dict[str, Any]


def read_prefect_file(repository: Path) -> Values:
    """The content of prefect.yaml."""
    content: Values = yaml.safe_load((repository / "prefect.yaml").read_text())
    return content


def pools(content: Values) -> list[str]:
    """The work pools that the file names, in order."""
    return list(dict.fromkeys(one["work_pool"]["name"] for one in content["deployments"]))


def flows(content: Values) -> list[str]:
    """The flows that the file deploys, in order."""
    return list(dict.fromkeys(flow_of(one) for one in content["deployments"]))


def named_for(server: PrefectServer, content: Values) -> Values:
    """The content with the names of deployments, pools and resources as they are on this server."""
    return {**content, "deployments": [_deployment(server, one) for one in content["deployments"]]}


def _deployment(server: PrefectServer, declared: Values) -> Values:
    # New dicts: with YAML's anchors, several deployments have one and the same dict as their pool.
    pool = {**declared["work_pool"], "name": server.named(declared["work_pool"]["name"])}
    named = {**declared, "name": server.named(declared["name"]), "work_pool": pool}
    if "triggers" in declared:
        named["triggers"] = [_trigger(server, one) for one in declared["triggers"]]
    return named


def _trigger(server: PrefectServer, declared: Values) -> Values:
    return {**declared, "match": {**declared["match"], RESOURCE: server.named(declared["match"][RESOURCE])}}
