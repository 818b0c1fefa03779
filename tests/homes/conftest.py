"""The home that earlier code wrote, opened by today's code with the settings that its `up` had written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flows.wiring.parts import Parts, open_parts
from flows.wiring.settings import load_settings
from tests.homes.opening import put_home


@contextmanager
def opened(folder: Path) -> Iterator[Parts]:
    """The parts of that home, by the settings in its own folder alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("FINLOOP_")]:
            patch.delenv(name)
        patch.setenv("FINLOOP_HOME", str(put_home(folder / "old")))
        patch.chdir(folder)
        settings = load_settings()
    with open_parts(settings) as parts:
        yield parts


@pytest.fixture(scope="session")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """The home for tests that only read: it is migrated once."""
    with opened(tmp_path_factory.mktemp("home")) as parts:
        yield parts


@pytest.fixture
def own_old(tmp_path: Path) -> Iterator[Parts]:
    """The home for a test that changes it."""
    with opened(tmp_path) as parts:
        yield parts
