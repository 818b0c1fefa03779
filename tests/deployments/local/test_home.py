"""A work folder is held by one `up` at a time, and what its finloop.env says comes back as it was."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.local.home import keep_private, occupied, write_environment
from flows.wiring.settings import Settings
from storage.errors import BadInput
from storage.sql.database import migrate, open_database
from storage.sql.files import sqlite_url


@pytest.fixture
def careless() -> Iterator[None]:
    """A user whose files everybody may read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_and_its_databases_are_their_owners(careless: None, tmp_path: Path) -> None:
    engine = open_database(sqlite_url(tmp_path / "made" / "finloop.db"))
    migrate(engine)
    with engine.connect():
        found = {path.name: rights(path) for path in (tmp_path / "made").iterdir()}
    engine.dispose()
    assert rights(tmp_path / "made") == 0o700
    assert found == {"finloop.db": 0o600, "finloop.db-wal": 0o600, "finloop.db-shm": 0o600}
    with occupied(tmp_path / "kept"):
        assert rights(tmp_path / "kept") == 0o700


def test_an_older_home_that_others_could_read_is_its_owners_alone(careless: None, tmp_path: Path) -> None:
    for name in ("finloop.db", "answer-key.csv", "prefect/prefect.db", "label-studio/db.sqlite3", "logs/up.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    tmp_path.chmod(0o755)
    assert keep_private(tmp_path) == 5
    assert rights(tmp_path) == 0o700
    assert {rights(one) for one in tmp_path.glob("**/*[b3v]") if one.is_file()} == {0o600}
    (tmp_path / "later").touch()
    assert rights(tmp_path / "later") == 0o600
    assert keep_private(tmp_path) == 0


def test_a_home_is_kept_by_one_up_at_a_time(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    with occupied(home):
        with pytest.raises(BadInput, match=rf"up already in {home} \(FINLOOP_HOME\)"), occupied(home):
            pass
        with occupied(tmp_path / "other"):
            pass
    with occupied(home):
        pass


def test_a_home_that_can_be_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "home"):
        with pytest.raises(BadInput, match=r"file.*\(FINLOOP_HOME\) cannot be used"), occupied(home):
            pass


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30))
def test_any_secret_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, secret: str) -> None:
    folder = tmp_path_factory.mktemp("env")
    write_environment(folder / "finloop.env", {"FINLOOP_ADMIN_TOKEN": secret, "FINLOOP_SEED_DATA": "after"}, None)
    found = Settings(_env_file=folder / "finloop.env")
    assert (found.needed("admin_token"), found.seed_data) == (secret, "after")


@pytest.mark.parametrize("secret", ["${HOME}", "a${HOME:-b}c", "$HOME", "it's", "back\\slash", "#no comment", " x "])
def test_what_a_dotenv_reader_would_take_for_its_own_comes_back_too(tmp_path: Path, secret: str) -> None:
    write_environment(tmp_path / "finloop.env", {"FINLOOP_ADMIN_TOKEN": secret}, None)
    assert Settings(_env_file=tmp_path / "finloop.env").needed("admin_token") == secret
