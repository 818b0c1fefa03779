"""Two homes on one Prefect server keep to their own deployments, pools and events, whatever the other home does."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from deployments.local.kept import write_record
from deployments.local.orchestration import apply
from deployments.local.prefect_file import flows, pools, read_prefect_file
from flows.intents import Retrain
from flows.prefect_api.connection import login_header
from flows.prefect_api.events import deliver
from flows.prefect_api.pools import WATCHES
from flows.prefect_api.runs import Run, Runs
from flows.prefect_api.server import PrefectServer
from flows.wiring.parts import Parts
from flows.wiring.settings import REPOSITORY
from storage.clock import now
from tests.fixtures_prefect import AUTH, prefect_environment

FILE = read_prefect_file(REPOSITORY)
SECONDS = 60.0
CHANGED = "0 7 * * 2"
PLAIN = ""
SUFFIXES = (PLAIN, "-aaaa1111", "-bbbb2222")


@dataclass(frozen=True)
class Home:
    """A home on the session's server, and what `up` said when it applied prefect.yaml for the first time."""

    server: PrefectServer
    environment: dict[str, str]
    said: list[str]


@pytest.fixture(scope="module")
def homes(deployed_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, Home]]:
    """Two homes, and the plain names that an earlier finloop of the first home left.

    People change a schedule of the first home before the second home starts.
    """
    made = list[Home]()
    for suffix in SUFFIXES[1:]:
        server, folder = PrefectServer(deployed_server, AUTH, suffix), tmp_path_factory.mktemp("prefect-home")
        if not made:
            write_record(folder / "applied.json", {"retrain": {"file": {}, "server": {}}})
        environment = prefect_environment(folder, deployed_server)
        made.append(Home(server, environment, apply(REPOSITORY, server, environment)))
        if len(made) == 1:
            change_schedule(server, "audit", CHANGED)
    first, second = made
    yield first, second
    with api_of(first.server) as api:
        for number in (deployment(api, home.server, flow)["id"] for home in made for flow in flows(FILE)):
            api.delete(f"/deployments/{number}").raise_for_status()
        for pool in (home.server.named(pool) for home in made for pool in pools(FILE)):
            api.delete(f"/work_pools/{pool}").raise_for_status()


@pytest.fixture
def api(homes: tuple[Home, Home]) -> Iterator[httpx.Client]:
    with api_of(homes[0].server) as client:
        yield client


def api_of(server: PrefectServer) -> httpx.Client:
    return httpx.Client(base_url=f"{server.url}/api", headers=login_header(server.auth), timeout=30)


def deployment(api: httpx.Client, server: PrefectServer, flow: str) -> dict[str, Any]:
    found: dict[str, Any] = api.get(server.deployment_path(flow)).raise_for_status().json()
    return found


def change_schedule(server: PrefectServer, flow: str, cron: str) -> None:
    with api_of(server) as api:
        found = deployment(api, server, flow)
        path = f"/deployments/{found['id']}/schedules/{found['schedules'][0]['id']}"
        api.patch(path, json={"schedule": {"cron": cron}}).raise_for_status()


def crons(api: httpx.Client, server: PrefectServer, flow: str) -> list[str]:
    return [one["schedule"]["cron"] for one in deployment(api, server, flow)["schedules"]]


def await_runs(find: Callable[[], list[Run]]) -> list[Run]:
    """The runs, once there are some."""
    deadline = time.monotonic() + SECONDS
    while not (found := find()):
        assert time.monotonic() < deadline, f"no run in {SECONDS:.0f} s"
        time.sleep(0.2)
    return found


def test_each_home_has_deployments_and_pools_of_its_own(api: httpx.Client) -> None:
    found = api.post("/deployments/filter", json={}).raise_for_status().json()
    wanted = {
        (f"{flow['name']}{suffix}", f"{flow['work_pool']['name']}{suffix}")
        for flow in FILE["deployments"]
        for suffix in SUFFIXES
    }
    assert {(one["name"], one["work_pool_name"]) for one in found} == wanted
    assert len(found) == len(wanted)


def test_a_schedule_that_people_changed_stays_when_another_home_starts(
    homes: tuple[Home, Home], api: httpx.Client
) -> None:
    mine, other = homes
    (as_in_the_file,) = [one["schedules"][0]["cron"] for one in FILE["deployments"] if one["name"] == "audit"]
    assert crons(api, mine.server, "audit") == [CHANGED]
    assert crons(api, other.server, "audit") == [as_in_the_file]


def test_a_schedule_that_people_changed_stays_when_its_home_starts_again(
    homes: tuple[Home, Home], api: httpx.Client
) -> None:
    mine, _ = homes
    (said,) = apply(REPOSITORY, mine.server, mine.environment)
    assert said.startswith("audit: kept what was changed")
    assert crons(api, mine.server, "audit") == [CHANGED]


def test_an_event_of_one_home_starts_its_own_retrain_only(homes: tuple[Home, Home], parts: Parts) -> None:
    """The server takes events in their order: once the second home's run is there, a wrong one would be there too."""
    began = now()
    everyone = [Runs(PrefectServer(homes[0].server.url, AUTH, suffix)) for suffix in SUFFIXES]

    def started(runs: Runs) -> list[Run]:
        return [one for one in runs.since("retrain", began) if one.created_by == "event"]

    plain, first, second = everyone
    parts.outbox.intend(Retrain(17, labels=30))
    deliver(parts.outbox, homes[0].server)
    (run,) = await_runs(lambda: started(first))
    assert [started(runs) for runs in (plain, second)] == [[], []]
    # Another home may have the same watermark; the server takes no second event of one id.
    parts.outbox.renew(Retrain(17, labels=30))
    deliver(parts.outbox, homes[1].server)
    (other,) = await_runs(lambda: started(second))
    assert ([one.id for one in started(first)], started(plain)) == ([run.id], [])
    assert other.event_id != run.event_id
    for runs in everyone:
        runs.close()


def test_lost_runs_of_all_homes_are_watched_by_the_same_automations(api: httpx.Client) -> None:
    """They name flows, and flows have no suffix: no home replaces what another made."""
    automations = api.post("/automations/filter", json={}).raise_for_status().json()
    for watch in WATCHES:
        (found,) = [one for one in automations if one["name"] == watch.name]
        assert found["trigger"]["match_related"][0]["prefect.resource.name"] == flows(FILE)


def test_what_an_earlier_finloop_left_is_told_once_with_the_cure(homes: tuple[Home, Home]) -> None:
    (said,) = homes[0].said
    assert "retrain-aaaa1111" in said and "Delete the earlier ones in Prefect's pages" in said


def test_a_home_that_never_had_plain_names_is_told_nothing_of_them(homes: tuple[Home, Home]) -> None:
    assert homes[1].said == []
