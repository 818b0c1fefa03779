"""The home that earlier code wrote, opened by today's code with the settings that its `up` had written."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.wiring.parts import Parts, open_parts
from tests.homes.opening import put_home


@pytest.fixture
def old(clean_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Parts]:
    monkeypatch.setenv("FINLOOP_HOME", str(put_home(tmp_path / "old")))
    with open_parts() as parts:
        yield parts
