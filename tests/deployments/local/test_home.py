"""A work folder is held by one `up` at a time, and what its finloop.env says comes back as it was."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.local.home import occupied, write_environment
from flows.wiring.settings import Settings
from storage.errors import BadInput


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
