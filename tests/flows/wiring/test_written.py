"""A project or a home that was moved or copied after `finloop up` reads and writes where it lies now."""

import shutil
from pathlib import Path

import pytest

from deployments.local.home import write_environment
from flows.wiring.settings import REPOSITORY, load_settings
from storage.errors import BadInput

pytestmark = pytest.mark.usefixtures("clean_environment")


def project(folder: Path, home: str = ".finloop", **settings: str) -> Path:
    """A project in which `up` ran: files beside the home and in the home."""
    for name in ("mine.csv", "base/config.json", f"{home}/sets/data.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    environment = {"FINLOOP_HOME": str(folder / home), "FINLOOP_PREFECT_URL": "http://up", **settings}
    write_environment(folder / home / "finloop.env", environment, None)
    return folder


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("how", ["copied", "moved"])
def test_a_project_that_lies_elsewhere_means_its_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, older: bool
) -> None:
    old, new = tmp_path / "project", tmp_path / "new place"
    inside, beside, away = old / ".finloop/sets/data.csv", old / "base", tmp_path / "away.toml"
    project(
        old,
        FINLOOP_SEED_DATA=str(inside),
        FINLOOP_BASE_MODEL=str(beside),
        FINLOOP_SCHEME=str(away),
        FINLOOP_LABEL_STUDIO=str(old / "gone"),
    )
    if older:
        written = old / ".finloop" / "finloop.env"
        written.write_text(written.read_text().replace("WRITTEN_IN", "FINLOOP_HOME").replace("SEED_DATA", "PHRASEBANK"))
    (shutil.copytree if how == "copied" else shutil.move)(old, new)
    monkeypatch.chdir(new)
    found = load_settings()
    assert found.home.resolve() == new / ".finloop"
    assert found.seed_data == str(new / ".finloop/sets/data.csv")
    assert found.base_model == str(new / "base")
    assert found.scheme == str(away)
    assert found.prefect_url == "http://up"
    assert found.label_studio == REPOSITORY / ".venv-label-studio/bin/label-studio"


@pytest.mark.parametrize("older", [False, True])
def test_in_a_copied_home_the_servers_of_the_original_are_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, older: bool
) -> None:
    ours = {"FINLOOP_SERVING_URL": "http://127.0.0.1:8000", "FINLOOP_ELASTICSEARCH_URL": "http://127.0.0.1:9200"}
    old, new = project(tmp_path / "project", FINLOOP_ADMIN_TOKEN="kept", **ours), tmp_path / "copy"
    if older:
        written = old / ".finloop" / "finloop.env"
        written.write_text(written.read_text().replace("WRITTEN_IN", "FINLOOP_HOME"))
    shutil.copytree(old, new)
    addresses = {}
    for place in (old, new):
        monkeypatch.chdir(place)
        addresses[place] = load_settings().serving_url
    assert addresses == {old: "http://127.0.0.1:8000", new: None}
    found = load_settings()
    assert (found.needed("admin_token"), found.elasticsearch_url) == ("kept", "http://127.0.0.1:9200")


@pytest.mark.parametrize("name", [".env", ".finloop/finloop.env"])
def test_a_file_of_settings_that_is_no_text_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = project(tmp_path / "project")
    (folder / name).write_bytes(b"FINLOOP_ADMIN_TOKEN='\xff\xfe'\n")
    monkeypatch.chdir(folder)
    with pytest.raises(BadInput, match=rf"{name} cannot be read: it is not text in UTF-8\.\nPut a sound copy back"):
        load_settings()


def test_a_home_that_was_moved_alone_still_means_the_files_beside_its_old_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = project(tmp_path / "project", FINLOOP_SEED_DATA=str(tmp_path / "project" / "mine.csv"))
    shutil.move(old / ".finloop", tmp_path / "home?")
    monkeypatch.setenv("FINLOOP_HOME", str(tmp_path / "home?"))
    assert load_settings().seed_data == str(old / "mine.csv")


def test_the_file_holds_no_home_and_words_stay_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path, FINLOOP_SEED_DATA="sample", FINLOOP_BASE_MODEL="owner/name")
    assert "FINLOOP_HOME" not in (tmp_path / ".finloop" / "finloop.env").read_text()
    monkeypatch.chdir(tmp_path)
    found = load_settings()
    assert (found.seed_data, found.base_model) == ("sample", "owner/name")


def test_two_names_of_one_home_are_one_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project(tmp_path / "project")
    (tmp_path / "link").symlink_to(tmp_path / "project" / ".finloop")
    monkeypatch.setenv("FINLOOP_HOME", str(tmp_path / "link"))
    linked = load_settings()
    monkeypatch.setenv("FINLOOP_HOME", str(tmp_path / "project" / ".finloop"))
    assert linked.labels_url == load_settings().labels_url
