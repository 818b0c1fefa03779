"""Asks a Prefect server whether it hears from a worker, which has no address of its own to ask."""

import httpx

from flows.prefect_api.connection import login_header
from flows.prefect_api.server import PrefectServer

SECONDS = 5.0


def worker_is_heard(server: PrefectServer, pool: str, name: str) -> bool:
    """Whether the heartbeats of a worker of our pool reach the server; also True where it says nothing, within 5 s.

    A worker sends a heartbeat every 30 s, and the server calls it offline after 90 s without one.
    """
    url = f"{server.url}/api/work_pools/{server.named(pool)}/workers/filter"
    try:
        response = httpx.post(url, json={}, headers=login_header(server.auth), timeout=SECONDS)
        workers = response.json() if response.is_success else []
    except (httpx.HTTPError, ValueError):
        return True
    states = [worker["status"] for worker in workers if worker["name"] == name]
    return not states or "ONLINE" in states
