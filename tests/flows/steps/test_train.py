"""A training is done once for each dataset and recipe, and leaves nothing where it fails."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from flows.steps.train import make_model, train
from flows.wiring.parts import Parts
from storage.errors import FinloopError
from storage.models.manifest import check_manifest
from storage.models.places import room_for
from storage.models.registry import ModelVersion
from storage.records import DatasetVersion
from tests.fixtures_home import POLICY, build, recipe_hash
from training.model.recipe import Recipe


def trained(parts: Parts, dataset: DatasetVersion, progress: Callable[[float, str], None]) -> ModelVersion:
    return train(dataset, parts.base_model, parts.registry, POLICY.recipe, parts.scheme, progress)


def test_the_base_model_is_part_of_what_names_a_candidate(parts: Parts) -> None:
    other = Parts(parts.settings.model_copy(update={"base_model": "minilm"}))
    assert recipe_hash(parts) == recipe_hash(parts) != recipe_hash(other, POLICY)
    assert recipe_hash(parts) != recipe_hash(parts, POLICY.model_copy(update={"recipe": Recipe()}))


def test_a_training_is_done_once_and_leaves_only_its_version(parts: Parts) -> None:
    dataset = build(parts)
    before = set(parts.settings.home.iterdir())
    told: list[float] = []
    version = trained(parts, dataset, lambda share, words: told.append(share))
    again = trained(parts, dataset, lambda share, words: pytest.fail("it is trained again"))
    assert again.version == version.version
    assert [one.version for one in parts.registry.versions()] == [version.version]
    assert version.manifest.dataset_version == dataset.version
    assert version.manifest.recipe_hash == recipe_hash(parts)
    assert told[-1] == 1.0
    assert {path.name for path in set(parts.settings.home.iterdir()) - before} <= {"models"}


def test_a_training_that_fails_leaves_nothing(parts: Parts) -> None:
    dataset = build(parts)
    before = set(parts.settings.home.iterdir())

    class Pulled(Exception):
        pass

    def unplug(share: float, words: str) -> None:
        raise Pulled

    with pytest.raises(Pulled):
        trained(parts, dataset, unplug)
    assert set(parts.settings.home.iterdir()) - before <= {parts.settings.home / "models"}
    assert parts.registry.versions() == []
    assert build(parts).version == dataset.version


def waiting(parts: Parts) -> list[Path]:
    return sorted((parts.settings.home / "models" / "unregistered").iterdir())


def refusing(parts: Parts) -> None:
    """As a full disk: the database takes no version."""
    with closing(sqlite3.connect(parts.settings.home / "mlflow.db")) as database:
        database.execute("CREATE TRIGGER no BEFORE INSERT ON model_versions BEGIN SELECT RAISE(ABORT, 'no'); END")
        database.commit()


def rubbish(parts: Parts) -> None:
    (parts.settings.home / "mlflow.db").rename(parts.settings.home / "before")
    (parts.settings.home / "mlflow.db").write_bytes(b"no database" * 1000)


def gone(parts: Parts) -> None:
    (parts.settings.home / "mlflow.db").rename(parts.settings.home / "before")
    (parts.settings.home / "mlflow.db").mkdir()


def mended(parts: Parts) -> None:
    database, before = parts.settings.home / "mlflow.db", parts.settings.home / "before"
    if not before.exists():
        with closing(sqlite3.connect(database)) as kept:
            kept.execute("DROP TRIGGER no")
            kept.commit()
        return
    shutil.rmtree(database) if database.is_dir() else database.unlink()
    before.rename(database)


@pytest.mark.parametrize("spoil", [refusing, rubbish, gone])
def test_a_trained_model_is_kept_whatever_ends_its_registration(parts: Parts, spoil: Callable[[Parts], None]) -> None:
    dataset, spoilt = build(parts), list[bool]()

    def at_the_end(share: float, words: str) -> None:
        if share == 1.0 and not spoilt:
            spoilt.append(True)
            spoil(parts)

    with pytest.raises(FinloopError, match=r"The trained model is kept in .*unregistered"):
        trained(parts, dataset, at_the_end)
    mended(parts)
    (kept,) = waiting(parts)
    again = Parts(parts.settings)
    version = trained(again, dataset, lambda share, words: pytest.fail("it is trained again"))
    assert check_manifest(again.registry.folder(version.version)).dataset_version == dataset.version
    assert waiting(parts) == [] and not kept.exists()
    again.close()


def test_a_process_that_is_killed_between_training_and_registration_loses_nothing(parts: Parts) -> None:
    dataset = build(parts)
    parts.registry.prepare()
    place = room_for(dataset.version, recipe_hash(parts), parts.registry.artifacts)
    make_model(dataset.rows, dataset.version, parts.base_model, POLICY.recipe, parts.scheme, place)
    version = trained(parts, dataset, lambda share, words: pytest.fail("it is trained again"))
    assert version.manifest.recipe_hash == recipe_hash(parts)
    assert waiting(parts) == []


def test_what_a_killed_training_left_half_made_is_removed_by_the_next(parts: Parts) -> None:
    dataset = build(parts)
    parts.registry.prepare()
    left = parts.registry.artifacts / "unregistered" / ".another.training"
    left.mkdir()
    (left / "checkpoint").touch()
    trained(parts, dataset, lambda share, words: None)
    assert waiting(parts) == []
