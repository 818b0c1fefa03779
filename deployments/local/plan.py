"""Decides which processes `finloop up` starts: one for each server that has no address in the settings.

The addresses and secrets go into FINLOOP_HOME/finloop.env, where the other verbs and the flow runs find them.
"""

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr

from deployments.local import orchestration
from deployments.local.data import seed_path
from deployments.local.home import as_environment, write_environment
from deployments.local.label_studio import Account, label_studio_command, prepare_data, template_of
from deployments.local.our_project import earlier_address, follow_our_server
from deployments.supervisor.cores import cores
from deployments.supervisor.once import once
from deployments.supervisor.ports import LOOPBACK, choose_port
from deployments.supervisor.process import Process
from flows.prefect_api.runs import Runs
from flows.prefect_api.workers import worker_is_heard
from flows.wiring.parts import Parts, open_parts
from flows.wiring.settings import REPOSITORY, Settings
from flows.wiring.written import WRITTEN_BY_UP, check_readable
from storage.errors import BadInput
from storage.scheme import packaged_schemes
from storage.sql.files import sqlite_url

USUAL_PORTS = {"label_studio": 8080, "prefect": 4200, "serving": 8000, "receiver": 8001}

PREFECT_SERVER = {
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "2",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
}
"""For a Prefect server: a run that waits for its deployment's only slot looks again every 2 s, not every 30. Leases of
slots are files: a server that kept them in memory would end every training after its own restart. No run is marked as
late: where a killed run still has the slot, marking cancels every run that a schedule planned, before `up` clears."""


@dataclass(frozen=True)
class LocalPlan:
    """The settings with every address filled in, the processes to start, and the login of our own Label Studio.

    `said` gets a sentence for each thing that a person should know of the start, while the processes start.
    """

    settings: Settings
    processes: list[Process]
    account: Account | None
    said: list[str] = field(default_factory=list, repr=False)


def check_given(given: Settings) -> None:
    """Check that every server of the user's own responds, before any of ours is started.

    Raises Unreachable, Refused or BadInput, which name the setting, within 10 s for each server.
    """
    with open_parts(given) as parts:
        if given.database_url:
            parts.labels.watermark()
        if given.elasticsearch_url is not None:
            parts.texts.counts()
        if given.label_studio_url is not None:
            parts.studio.check()
        if given.prefect_url is not None:
            Runs(given.prefect_server).check_login()


def prepare_home(parts: Parts) -> list[str]:
    """Open every store of the home, so that a damaged one is named before anything starts, and fetch the seed data.

    Returns what was put right, a sentence each. Raises Unreachable or BadInput, which name the file.
    """
    check_readable(parts.settings.home / WRITTEN_BY_UP)
    _ = parts.engine, parts.texts
    seed_path(parts)
    return list(parts.registry.prepare())


def make_plan(given: Settings) -> LocalPlan:
    """Choose ports and secrets for what has no address, and write finloop.env; starts nothing.

    Raises BadInput where Label Studio is to be started and is not installed.
    """
    home = given.home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    kept = dotenv_values(home / WRITTEN_BY_UP)
    ports = _ports(given)
    # The account of our Label Studio never changes, so it is kept while the settings name a server of the user's.
    ours = None if given.label_studio_url and "LOGIN_PASSWORD" not in kept else _account(kept)
    account = None if given.label_studio_url else ours
    filled = {
        **{f"{name}_url": f"http://{LOOPBACK}:{port}" for name, port in ports.items()},
        "home": home,
        # The workers run in the repository, where a relative path would mean another file.
        **{name: str(Path(path).resolve()) for name, path in _paths(given).items()},
        "elasticsearch_ca": given.elasticsearch_ca and given.elasticsearch_ca.resolve(),
        "webhook_secret": given.webhook_secret or _secret(kept, "FINLOOP_WEBHOOK_SECRET"),
        "admin_token": given.admin_token or _secret(kept, "FINLOOP_ADMIN_TOKEN"),
    }
    if "prefect" in ports:  # a login for a server of the user's is the user's to give
        filled["prefect_auth"] = given.prefect_auth or _login(kept, "FINLOOP_PREFECT_AUTH")
    elif "prefect_suffix" not in given.model_fields_set:  # an empty one may be given: for plain names
        filled["prefect_suffix"] = _suffix(given)
    if account is not None:
        filled["label_studio_token"] = SecretStr(account.token)
    settings = given.model_copy(update=filled)
    environment = as_environment(settings)
    if account is not None and (before := earlier_address(kept)) not in (None, settings.label_studio_url):
        follow_our_server(settings, before)
    write_environment(home / WRITTEN_BY_UP, environment, ours)
    said: list[str] = []
    return LocalPlan(settings, _processes(settings, ports, account, environment, said), account, said)


def prefect_environment(settings: Settings) -> dict[str, str]:
    """The variables of every Prefect process: a home of its own, our server's address, no data sent to anybody."""
    prefect_home = settings.home.resolve() / "prefect"
    return {
        "PREFECT_HOME": str(prefect_home),
        "PREFECT_PROFILES_PATH": str(prefect_home / "profiles.toml"),
        "PREFECT_API_URL": f"{settings.needed('prefect_url')}/api",
        # Also where it is empty: a login in the user's shell is for another server.
        "PREFECT_API_AUTH_STRING": settings.prefect_auth.get_secret_value() if settings.prefect_auth else "",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "DO_NOT_TRACK": "1",
    }


def _paths(given: Settings) -> dict[str, str]:
    named = {"seed_data": given.seed_data, "base_model": given.base_model, "scheme": given.scheme}
    words = ("sample", "hub", "minilm", *packaged_schemes())
    return {name: path for name, path in named.items() if path not in words and Path(path).exists()}


def _ports(given: Settings) -> dict[str, int]:
    ports: dict[str, int] = {}
    for name, usual in USUAL_PORTS.items():
        if getattr(given, f"{name}_url") is None:
            ports[name] = choose_port(usual, avoid=ports.values())
    return ports


def _account(kept: Mapping[str, str | None]) -> Account:
    # Older files have no LOGIN_TOKEN; there the token beside a login is always that of our own server.
    before = kept.get("FINLOOP_LABEL_STUDIO_TOKEN") if "LOGIN_PASSWORD" in kept else None
    return Account(
        username=kept.get("LOGIN_USERNAME") or "finloop@example.com",
        password=kept.get("LOGIN_PASSWORD") or secrets.token_urlsafe(12),
        token=kept.get("LOGIN_TOKEN") or before or secrets.token_hex(20),
    )


def _secret(kept: Mapping[str, str | None], name: str) -> SecretStr:
    return SecretStr(kept.get(name) or secrets.token_urlsafe(24))


def _login(kept: Mapping[str, str | None], name: str) -> SecretStr:
    return SecretStr(kept.get(name) or f"finloop:{secrets.token_urlsafe(12)}")


def _suffix(given: Settings) -> str:
    """What tells this home's names from those of other homes on a Prefect server of the user's."""
    with open_parts(given) as parts:
        return f"-{parts.home_identity[:8]}"


def _processes(
    settings: Settings, ports: dict[str, int], account: Account | None, environment: dict[str, str], said: list[str]
) -> list[Process]:
    processes: list[Process] = []
    if account is not None:
        processes.append(_label_studio(settings, ports["label_studio"], account))
    if "prefect" in ports:
        processes.append(_prefect(settings, ports["prefect"]))
    for name in ("receiver", "serving"):
        if name in ports:
            argv = (sys.executable, "-m", f"deployments.{name}.app", "--port", str(ports[name]))
            url = f"http://{LOOPBACK}:{ports[name]}/healthz"
            processes.append(Process(name, argv, {**_half_of_the_cores(), **environment}, REPOSITORY, url, ports[name]))
    needs = ("prefect",) if "prefect" in ports else ()
    apply = once(lambda: said.extend(_apply(settings, alone="prefect" in ports)))
    return [*processes, *(_worker(settings, pool, environment, needs, apply) for pool in ("cpu", "gpu"))]


def _apply(settings: Settings, *, alone: bool) -> list[str]:
    return orchestration.apply(REPOSITORY, settings.prefect_server, prefect_environment(settings), alone=alone)


def _half_of_the_cores() -> dict[str, str]:
    """Threads for the processes that must respond while a training runs on the same machine.

    Beside a training on 2 cores, one text takes 39 ms with one thread and 55 with two, and the training is a tenth
    faster. The user's own OMP_NUM_THREADS is kept.
    """
    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(max(1, cores() // 2))}


def _label_studio(settings: Settings, port: int, account: Account) -> Process:
    executable = settings.label_studio
    if not executable.exists():
        raise BadInput(
            f"there is no Label Studio at {executable} (FINLOOP_LABEL_STUDIO).\n"
            "Run `make install`, or set FINLOOP_LABEL_STUDIO_URL and FINLOOP_LABEL_STUDIO_TOKEN to a server of yours."
        )
    data = settings.home.resolve() / "label-studio"
    command = label_studio_command(executable, data, port, account)
    url = f"http://{LOOPBACK}:{port}/health"

    def prepare() -> None:
        prepare_data(data, template_of(executable))

    return Process("label-studio", command.argv, command.env, data.parent, url, port, prepare=prepare)


def prefect_command(port: int) -> tuple[str, ...]:
    """The command that starts a Prefect server on a port of this machine."""
    start = (sys.executable, "-m", "deployments.local.prefect_server", "server", "start")
    return (*start, "--host", LOOPBACK, "--port", str(port))


def _prefect(settings: Settings, port: int) -> Process:
    login = {"PREFECT_SERVER_API_AUTH_STRING": settings.needed("prefect_auth")}
    # Prefect's own address of the file breaks where a home has a question mark in its name.
    database = sqlite_url(settings.home.resolve() / "prefect" / "prefect.db", "sqlite+aiosqlite")
    kept = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database, **kept_runs(settings.keep_days)}
    environment = {**prefect_environment(settings), **PREFECT_SERVER, **kept, **login}
    health = f"http://{LOOPBACK}:{port}/api/health"
    return Process("prefect", prefect_command(port), environment, settings.home, health, port)


def kept_runs(days: int) -> dict[str, str]:
    """For a Prefect server: its own vacuum deletes runs, logs, artifacts and events after this time.

    An idle house writes 60 MB a day; Prefect by itself keeps runs for ever.
    """
    period = f"P{days}D"  # as ISO 8601: the setting of the events takes no plain number
    return {
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": period,
        "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": period,
    }


def _worker(
    settings: Settings, pool: str, environment: dict[str, str], needs: tuple[str, ...], apply: Callable[[], None]
) -> Process:
    server = settings.prefect_server
    start = (sys.executable, "-m", "prefect", "worker", "start", "--type", "process", "--name", pool)
    worker_environment = {
        **environment,
        **prefect_environment(settings),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(orchestration.HEARTBEAT_SECONDS),
    }

    def alive() -> bool:
        return worker_is_heard(server, pool, pool)

    # No worker may start a run before the runs of the last house are cleared.
    return Process(
        f"worker-{pool}",
        (*start, "--pool", server.named(pool)),
        worker_environment,
        REPOSITORY,
        needs=needs,
        prepare=apply,
        alive=alive,
    )
