"""Finds the deployments of this home on a Prefect server, which may have those of other homes and of other projects."""

from collections.abc import Iterator
from typing import Any

from flows.prefect_api.connection import Connection

PAGE = 200
FLOWS = "flows."
"""How the entrypoint of each of our deployments begins, as in `flows.retrain.retrain`."""


def flow_of(deployment: dict[str, Any]) -> str:
    """The name of a deployment's flow, by its entrypoint in prefect.yaml or on the server."""
    return str(deployment["entrypoint"]).rpartition(".")[2]


def our_deployments(connection: Connection) -> dict[str, dict[str, Any]]:
    """This home's deployments, by flow and in order of their names. Raises RunFailed, Refused or Unreachable."""
    return with_suffix(connection, connection.server.suffix)


def with_suffix(connection: Connection, suffix: str) -> dict[str, dict[str, Any]]:
    """The deployments of finloop's flows whose name is that of the flow and this suffix, by flow."""
    found = (one for one in _all(connection, suffix) if str(one["entrypoint"]).startswith(FLOWS))
    return {flow_of(one): one for one in found if one["name"] == f"{flow_of(one)}{suffix}"}


def _all(connection: Connection, part: str) -> Iterator[dict[str, Any]]:
    """Every deployment that has this part in its name."""
    body: dict[str, Any] = {"deployments": {"name": {"like_": part}}, "sort": "NAME_ASC", "limit": PAGE}
    offset = 0
    while found := connection.ask("POST", "/deployments/filter", {**body, "offset": offset}):
        yield from found
        offset += len(found)
