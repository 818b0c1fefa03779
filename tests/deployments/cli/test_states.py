"""No verb ends in a traceback for a state that a user can bring about: each ends well, or says what is wrong.

The verbs are those of the command itself, so that a new verb is walked through the states too.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer

from deployments.cli.main import app
from deployments.cli.terminal import exit_codes
from flows.wiring.parts import Parts
from flows.wiring.settings import Settings
from storage.models.registry import Registry
from storage.sql.database import migrate, open_database
from storage.sql.files import sqlite_url
from tests.deployments.serving.models import flip_a_bit
from tests.disk import read_only
from tests.fixtures_home import copy_registry, register
from tests.schemes import LABELS

ARGUMENTS = {
    "ingest": ["posts.csv"],
    "predict": ["Profit rose."],
    "train": ["--data", "data.csv", "--output", "made"],
    "fetch": ["seed"],
    "demo": ["--texts", "missing.csv", "--workdir", "occupied"],
    "datasets show": ["3f"],
    "models show": ["champion"],
    "models adopt": ["1"],
    "models report": ["champion"],
}
"""What a verb needs. `train` and `demo` get what they refuse at once, because a training or a server takes long."""

NOWHERE = "http://127.0.0.1:9"


def verbs(command: Any, name: str = "") -> Iterator[str]:
    """Every verb, also those of a group. Typer's commands have click's attributes, not always click's classes."""
    below = getattr(command, "commands", {})
    if name and (not below or command.invoke_without_command):
        yield name
    for own, one in below.items():
        yield from verbs(one, f"{name} {own}".strip())


VERBS = list(verbs(typer.main.get_command(app)))


def spoil(name: str, how: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda home: how(home / name)


def rubbish(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def empty(path: Path) -> None:
    path.write_bytes(b"")
    os.utime(path, (0, 0))


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        database.commit()


def other_scheme(home: Path) -> None:
    with closing(sqlite3.connect(home / "finloop.db")) as database:
        row = (
            "INSERT INTO home (id, identity, scheme, hash, labels) VALUES (1, 'a', 'tone', 'h', '[\"warm\", \"cold\"]')"
        )
        database.execute(row)
        database.commit()


def foreign_version(home: Path) -> None:
    from mlflow.tracking import MlflowClient

    uri = sqlite_url(home / "mlflow.db")
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    made = client.create_model_version("finloop", source="s3://elsewhere/model")
    client.set_registered_model_alias("finloop", "champion", made.version)


def a_file(home: Path) -> None:
    shutil.rmtree(home)
    home.write_text("mine")


def files_for_folders(home: Path) -> None:
    for name in ("models", "logs", "sample", "webhooks", "downloads", "prefect", "label-studio"):
        shutil.rmtree(home / name, ignore_errors=True)
        (home / name).write_text("mine")


def folders_for_files(home: Path) -> None:
    for name in ("up.lock", "answer-key.csv", ".answer-key.csv.lock", "prefect/applied.json"):
        (home / name).mkdir(parents=True, exist_ok=True)


def older(home: Path) -> None:
    (home / "finloop.db").unlink()
    engine = open_database(sqlite_url(home / "finloop.db"), embedded=True)
    migrate(engine, to="0001")
    engine.dispose()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "its folder is gone": shutil.rmtree,
    "its weights are gone": spoil("model.safetensors", Path.unlink),
    "a bit of its weights is wrong": spoil("model.safetensors", flip_a_bit),
    "its manifest is no JSON": spoil("manifest.json", rubbish),
    "its tokenizer is cut": spoil("tokenizer.json", lambda path: os.truncate(path, path.stat().st_size // 2)),
    "its weights are a folder": spoil("model.safetensors", folder),
}
"""What may have happened to the folder of the champion."""


SETTINGS: dict[str, dict[str, str]] = {
    "no such scheme": {"SCHEME": "missing.toml"},
    "no such base model": {"BASE_MODEL": "missing/model"},
    "no such seed data": {"SEED_DATA": "missing.csv"},
    "no such PostgreSQL": {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"},
    "no database address": {"DATABASE_URL": "finloop.db"},
    "no such Elasticsearch": {"ELASTICSEARCH_URL": "http://127.0.0.1:9"},
    "no such certificate": {"ELASTICSEARCH_URL": "https://127.0.0.1:9", "ELASTICSEARCH_CA": "missing.pem"},
    "no Label Studio to start": {"LABEL_STUDIO_URL": "", "LABEL_STUDIO": "missing"},
}
"""Settings that name what is not there."""


STATES: dict[str, Callable[[Path], object]] = {
    "servers away": lambda home: None,
    "no home": shutil.rmtree,
    "home is a file": a_file,
    "home of another scheme": other_scheme,
    "foreign champion": foreign_version,
    "finloop.env is a folder": spoil("finloop.env", folder),
    "finloop.env is no text": spoil("finloop.env", lambda path: path.write_bytes(b"\xff\xfe\x00\xd8" * 100)),
    "finloop.env has a wrong value": spoil(
        "finloop.env", lambda path: path.write_text("FINLOOP_RETRAIN_AFTER=many\nFINLOOP_PREFECT_URL=here\n")
    ),
    "a file in the place of each folder": files_for_folders,
    "a folder in the place of each file": folders_for_files,
    "an older home": older,
    **{
        f"{file}.db {how.__name__}": spoil(f"{file}.db", how)
        for file in ("finloop", "texts", "mlflow")
        for how in (rubbish, folder, empty, newer)
    },
}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, empty_registry: Path) -> Path:
    """A home with all its databases."""
    home = tmp_path_factory.mktemp("states") / "home"
    home.mkdir()
    copy_registry(empty_registry, home)
    for name in ("finloop", "texts"):
        engine = open_database(sqlite_url(home / f"{name}.db"), embedded=True)
        migrate(engine)
        engine.dispose()
    Registry(sqlite_url(home / "mlflow.db"), home / "models", LABELS).prepare()
    return home


@contextmanager
def walked(home: Path, monkeypatch: pytest.MonkeyPatch, away: bool = False) -> Iterator[None]:
    """A working folder with what the verbs are given. The servers are away, or (which is sooner said) have no address.

    `up` must stop early: a Label Studio without a token is named before anything starts.
    """
    Path("posts.csv").write_text("text,label\nProfit rose.,positive\n")
    Path("data.csv").write_text("text,label\n")
    Path("occupied").mkdir()
    Path("occupied", "mine").touch()
    monkeypatch.setenv("FINLOOP_HOME", str(home))
    monkeypatch.setenv("FINLOOP_LABEL_STUDIO_URL", NOWHERE)
    if away:
        for name in ("PREFECT_URL", "SERVING_URL", "RECEIVER_URL"):
            monkeypatch.setenv(f"FINLOOP_{name}", NOWHERE)
        for name in ("LABEL_STUDIO_TOKEN", "WEBHOOK_SECRET", "ADMIN_TOKEN"):
            monkeypatch.setenv(f"FINLOOP_{name}", "secret")
    yield


def run(verb: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and stderr. Every exception but the exit itself is what a user would see as a traceback."""
    code = 0
    try:
        with exit_codes():
            app([*verb.split(), *ARGUMENTS.get(verb, [])], standalone_mode=False)
    except SystemExit as ended:
        code = int(ended.code or 0)
    except Exception as error:
        raise AssertionError(f"finloop {verb} ends in a traceback") from error
    return code, capsys.readouterr().err


def walk(capsys: pytest.CaptureFixture[str]) -> dict[str, int]:
    """The exit code of every verb. None is a traceback, and a verb that does not end well says why."""
    codes = {}
    for verb in VERBS:
        codes[verb], said = run(verb, capsys)
        assert codes[verb] in (0, 1, 2), (verb, said)
        assert codes[verb] == 0 or "finloop: " in said, (verb, said)
    return codes


@pytest.mark.usefixtures("clean_environment")
@pytest.mark.parametrize("state", STATES)
def test_no_verb_ends_in_a_traceback(
    state: str, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(template, home)
    STATES[state](home)
    with walked(home, monkeypatch, away=state == "servers away"):
        walk(capsys)


@pytest.mark.usefixtures("clean_environment")
def test_no_verb_ends_in_a_traceback_where_nothing_can_be_written(
    template: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with walked(template, monkeypatch):
        for path in (Path.cwd(), *Path.cwd().parents[:-1]):
            path.chmod(path.stat().st_mode | 0o055)
        with read_only(template) as home:
            monkeypatch.setenv("FINLOOP_HOME", str(home))
            codes = walk(capsys)
    assert [codes[verb] for verb in ("status", "models", "models list", "datasets", "datasets list")] == [0] * 5


@pytest.mark.parametrize("damage", DAMAGES)
def test_no_verb_ends_in_a_traceback_where_the_champion_is_damaged(
    damage: str, parts: Parts, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, version = parts.settings.home, register(parts, tiny_model)
    parts.registry.set_alias("champion", version.version)
    folder = parts.registry.folder(version.version)
    for one in (folder, *folder.iterdir()):
        one.chmod(0o700)
    DAMAGES[damage](folder)
    with walked(home, monkeypatch):
        codes = walk(capsys)
    assert (codes["status"], codes["predict"]) == (0, 2)


@pytest.mark.usefixtures("clean_environment")
def test_status_says_soon_that_another_process_has_locked_the_database(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(template, home)
    with walked(home, monkeypatch), closing(sqlite3.connect(home / "finloop.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        code, said = run("status", capsys)
        assert (code, time.monotonic() - began < 20) == (2, True)
    assert "is locked by another process" in said


@pytest.mark.usefixtures("clean_environment")
@pytest.mark.parametrize("wrong", SETTINGS)
def test_no_verb_ends_in_a_traceback_where_a_setting_is_wrong(
    wrong: str, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    shutil.copytree(template, home)
    with walked(home, monkeypatch):
        for name, value in SETTINGS[wrong].items():
            monkeypatch.setenv(f"FINLOOP_{name}", value)
        walk(capsys)


def test_every_verb_has_what_it_needs() -> None:
    assert set(ARGUMENTS) <= set(VERBS)
    assert {"status", "up", "models", "datasets list"} <= set(VERBS)
    assert Settings().home == Path(".finloop") or os.environ.get("FINLOOP_HOME")
