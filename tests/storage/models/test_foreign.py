"""MLflow's database is other people's too: what they make, delete or break there costs no training and no champion."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from storage.errors import BadInput, CorruptModel, FinloopError, Full, Part, UnknownVersion
from storage.models import places
from storage.models.registry import Registry
from storage.sql.files import sqlite_url
from tests.disk import contents, read_only
from tests.schemes import LABELS
from tests.storage.models.test_registry import write_model


@pytest.fixture
def home(tmp_path: Path, empty_registry: Path) -> Path:
    """A home with an empty registry."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copyfile(empty_registry, folder / "mlflow.db")
    return folder


def opened(home: Path) -> Registry:
    return Registry(sqlite_url(home / "mlflow.db"), home / "models", LABELS)


def mlflow(home: Path) -> MlflowClient:
    """What other people use."""
    uri = sqlite_url(home / "mlflow.db")
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.mark.parametrize("name", ["a?b", "x#y", "100%25", 'd\'or "q" ünï', "-dash"])
def test_a_home_of_any_name_can_be_moved_with_its_models(home: Path, name: str) -> None:
    odd, later = home.with_name(name), home.with_name(f"{name} later")
    home.rename(odd)
    version = opened(odd).register(write_model(odd.parent / "one")).version
    assert opened(odd).folder(version).is_relative_to(odd / "models")
    odd.rename(later)
    moved = opened(later)
    assert moved.folder(version).is_relative_to(later / "models")
    second = moved.register(write_model(odd.parent / "two", dataset="data-2")).version
    assert moved.folder(second).is_relative_to(later / "models")
    assert not odd.exists()
    assert {one.name for one in home.parent.iterdir()} == {"one", "two", later.name}


def test_a_model_of_an_older_home_is_found_by_its_run(home: Path) -> None:
    version = opened(home).register(write_model(home.parent / "one")).version
    mlflow(home).delete_model_version_tag("finloop", version, places.PLACE_TAG)
    moved = home.rename(home.with_name("moved"))
    assert opened(moved).folder(version).is_relative_to(moved / "models")


def test_a_registry_is_read_where_nothing_can_be_written(home: Path) -> None:
    registry = opened(home)
    version = registry.register(write_model(home.parent / "one")).version
    registry.set_alias("champion", version)
    with read_only(home) as locked:
        before = contents(locked)
        found = opened(locked)
        assert found.folder("champion").is_dir()
        assert contents(locked) == before
        with (
            tempfile.TemporaryDirectory() as place,
            pytest.raises(BadInput, match="nothing can be written to") as caught,
        ):
            found.register(write_model(Path(place, "two"), dataset="2"))
        assert caught.value.part is Part.HOME


def test_a_registry_that_is_not_there_is_empty_and_stays_away(tmp_path: Path) -> None:
    registry = opened(tmp_path / "none")
    assert (registry.versions(), registry.foreign(), registry.aliases(), registry.champion()) == ([], [], {}, None)
    with pytest.raises(UnknownVersion, match="none yet"):
        registry.resolve("champion")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("tags", "source"),
    [
        ({}, "s3://elsewhere/model"),
        ({"manifest": "{"}, "/nowhere"),
        ({"manifest": "{}"}, "relative"),
        ({"manifest": '{"format": 9}'}, "file:///"),
        ({"a": "b"}, "https://host/model"),
    ],
)
def test_a_version_of_somebody_else_is_named_and_passed_over(home: Path, tags: dict[str, str], source: str) -> None:
    registry = opened(home)
    registry.prepare()
    made = mlflow(home).create_model_version("finloop", source=source, tags=tags)
    mlflow(home).set_registered_model_alias("finloop", "challenger", made.version)
    ours = registry.register(write_model(home.parent / "one"))
    assert [one.version for one in registry.versions()] == [ours.version]
    (foreign,) = registry.foreign()
    assert (foreign.version, foreign.aliases) == (str(made.version), ("challenger",))
    assert foreign.named == f"version {made.version} (challenger)"
    assert "not registered by" in foreign.reason
    for name in ("challenger", foreign.version):
        with pytest.raises(UnknownVersion, match="finloop models adopt 1"):
            registry.resolve(name)


def test_a_verdict_that_was_changed_by_hand_is_none(home: Path) -> None:
    registry = opened(home)
    version = registry.register(write_model(home.parent / "one")).version
    mlflow(home).set_model_version_tag("finloop", version, "verdict", "great")
    assert registry.resolve(version).verdict is None


def delete_experiment(client: MlflowClient) -> None:
    client.delete_experiment(client.get_experiment_by_name("finloop").experiment_id)


def rename_experiment(client: MlflowClient) -> None:
    client.rename_experiment(client.get_experiment_by_name("finloop").experiment_id, "mine")


def delete_model(client: MlflowClient) -> None:
    client.delete_registered_model("finloop")


def delete_runs(client: MlflowClient) -> None:
    experiment = client.get_experiment_by_name("finloop").experiment_id
    for run in client.search_runs([experiment]):
        client.delete_run(run.info.run_id)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (delete_experiment, "is restored"),
        (rename_experiment, ""),
        (delete_model, "a new one begins"),
        (delete_runs, ""),
    ],
)
def test_what_was_deleted_in_mlflow_costs_no_training(
    home: Path, spoil: Callable[[MlflowClient], None], said: str
) -> None:
    first = opened(home).register(write_model(home.parent / "one"))
    spoil(mlflow(home))
    registry = opened(home)
    assert said in "".join(registry.prepare())
    known = registry.find("data-1", "recipe-1")
    if known is None:
        trained = registry.kept("data-1", "recipe-1")
        assert trained is not None
        known = registry.register(trained)
    assert check(registry, known.version) and known.manifest == first.manifest
    assert check(registry, registry.register(write_model(home.parent / "two", dataset="data-2")).version)


def check(registry: Registry, version: str) -> bool:
    return (registry.folder(version) / "model.safetensors").is_file()


@pytest.mark.parametrize("fault", ["copy", "version", "killed"])
def test_a_registration_that_fails_leaves_no_files_and_no_running_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    registry = opened(home)
    registry.prepare()
    source = write_model(home.parent / "one")
    if fault == "copy":
        (source / "gone").symlink_to(source / "nowhere")
        with pytest.raises(CorruptModel):
            registry.register(source)
        (source / "gone").unlink()
    elif fault == "version":
        with closing(sqlite3.connect(home / "mlflow.db")) as database:
            database.execute("CREATE TRIGGER no BEFORE INSERT ON model_versions BEGIN SELECT RAISE(ABORT, 'no'); END")
            database.commit()
        with pytest.raises(FinloopError, match=r"model registry|database"):
            registry.register(source)
        with closing(sqlite3.connect(home / "mlflow.db")) as database:
            database.execute("DROP TRIGGER no")
            database.commit()
    else:
        experiment = mlflow(home).get_experiment_by_name("finloop").experiment_id
        run = mlflow(home).create_run(experiment, tags={"finloop": "registration"}).info.run_id
        (home / "models" / run / "artifacts" / "model").mkdir(parents=True)
        registry.prepare(1)
    experiment = mlflow(home).get_experiment_by_name("finloop").experiment_id
    assert {run.info.status for run in mlflow(home).search_runs([experiment])} <= {"FAILED"}
    assert not list((home / "models").glob("*/artifacts"))
    assert check(registry, registry.register(source).version)


def test_a_model_that_finds_no_space_is_known_before_the_training(home: Path) -> None:
    with pytest.raises(Full, match=r"models is full: a model needs .* MB are free") as caught:
        opened(home).prepare(shutil.disk_usage(home).free)
    assert caught.value.part is Part.HOME


def rubbish(path: Path) -> None:
    path.write_bytes(os.urandom(5000))


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        database.commit()


def empty(path: Path) -> None:
    path.write_bytes(b"")
    os.utime(path, (0, 0))


@pytest.mark.parametrize("spoil", [rubbish, folder, newer, empty])
def test_a_database_that_cannot_be_used_is_named_by_its_home(home: Path, spoil: Callable[[Path], Any]) -> None:
    spoil(home / "mlflow.db")
    for call in (Registry.versions, Registry.aliases, Registry.champion, Registry.prepare):
        with pytest.raises(FinloopError, match=r"mlflow\.db") as caught:
            call(opened(home))
        assert caught.value.part is Part.EMBEDDED_DATABASE
        assert "mlflow db upgrade" not in str(caught.value)
