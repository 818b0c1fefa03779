"""A model that finloop did not train is taken over as a whole, or refused with the reason and nothing changed."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from flows.steps.adopt import adopt
from flows.wiring.parts import Parts
from storage.errors import BadInput, FinloopError
from storage.models.registry import ModelVersion
from tests.fixtures_home import register
from tests.fixtures_models import write_tiny_model
from training.model.classifier import Classifier


def by_hand(parts: Parts, folder: Path) -> str:
    """A version that somebody registers in MLflow, without finloop."""
    client = MlflowClient(parts.settings.registry_url, parts.settings.registry_url)
    return str(client.create_model_version("finloop", source=folder.as_uri()).version)


def adopted(parts: Parts, name: str) -> ModelVersion:
    return adopt(name, parts.registry, parts.scheme)


@pytest.fixture(scope="session")
def foreign_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of our labels, as somebody else keeps it: no manifest."""
    folder = tmp_path_factory.mktemp("theirs") / "their model"
    write_tiny_model(folder)
    return folder


@pytest.mark.parametrize("what", ["version", "folder"])
def test_an_adopted_model_is_a_version_like_any_other(parts: Parts, foreign_model: Path, what: str) -> None:
    register(parts, foreign_model)  # there is one of ours already
    name = by_hand(parts, foreign_model) if what == "version" else str(foreign_model)
    made = adopted(parts, name)
    assert what == "folder" or made.version == name
    assert made.version in [one.version for one in parts.registry.versions()]
    assert parts.registry.foreign() == []
    assert made.manifest.exposed, "nobody knows what it has seen"
    parts.registry.set_alias("champion", made.version)
    model = Classifier.load(parts.registry.folder("champion"), parts.scheme.names)
    assert len(model.predict(["profit rose"]).logits) == 1


def test_a_version_of_ours_is_not_adopted(parts: Parts, foreign_model: Path) -> None:
    version = register(parts, foreign_model).version
    with pytest.raises(BadInput, match="is a version of finloop already"):
        adopted(parts, version)


@pytest.mark.parametrize("name", ["7", "challenger", "/no/such/folder"])
def test_what_is_not_there_is_named(parts: Parts, name: str) -> None:
    with pytest.raises(FinloopError, match=name):
        adopted(parts, name)


def test_a_model_of_other_labels_or_without_weights_is_refused_and_nothing_changes(
    parts: Parts, foreign_model: Path, tmp_path: Path
) -> None:
    write_tiny_model(tmp_path / "others", ["up", "down", "flat"])
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "others", tmp_path / "empty"):
        version = by_hand(parts, folder)
        with pytest.raises(BadInput):
            adopted(parts, version)
        assert version in [one.version for one in parts.registry.foreign()]
    assert parts.registry.versions() == []
    assert not list(parts.registry.artifacts.glob("adopted-*"))
