"""One home with registered models for all tests of serving: to register takes seconds."""

from pathlib import Path

import pytest

from storage.models.registry import Registry
from tests.deployments.serving.models import Home, register_model
from tests.schemes import LABELS


@pytest.fixture(scope="session")
def home(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    root = tmp_path_factory.mktemp("home")
    registry = Registry(f"sqlite:///{root}/mlflow.db", root / "models", LABELS)
    versions = [
        register_model(registry, tiny_model, root / str(number), f"data-{number}", shift=number).version
        for number in range(3)
    ]
    registry.set_alias("champion", versions[0])
    return Home(registry, *versions)
