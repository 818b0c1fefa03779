"""The server that `make install` and `finloop up` start."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from deployments.local.label_studio import (
    DATABASE,
    Account,
    label_studio_command,
    prepare_data,
    prepare_template,
    template_of,
)
from storage.errors import BadInput
from tests.fixtures_label_studio import LabelStudioServer, label_studio_executable


def rows(database: Path, table: str) -> int:
    with closing(sqlite3.connect(database)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)


def test_template_holds_no_user_and_no_secret() -> None:
    template = template_of(label_studio_executable())
    database = template / DATABASE
    assert rows(database, "htx_user") == rows(database, "authtoken_token") == rows(database, "organization") == 0
    assert not (template / ".env").exists()


def test_template_and_its_copies_write_ahead(label_studio: LabelStudioServer) -> None:
    for folder in (template_of(label_studio_executable()), label_studio.data):
        with closing(sqlite3.connect(folder / DATABASE)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",), folder


def test_first_start_on_a_copy_makes_the_user_of_the_account(label_studio: LabelStudioServer) -> None:
    answer = httpx.get(
        f"{label_studio.url}/api/current-user/whoami",
        headers={"Authorization": f"Token {label_studio.token}"},
        trust_env=False,
        timeout=10,
    )
    assert (answer.status_code, answer.json()["email"]) == (200, label_studio.username)
    assert rows(label_studio.data / DATABASE, "htx_user") == 1


def test_other_tokens_are_refused(label_studio: LabelStudioServer) -> None:
    answer = httpx.get(
        f"{label_studio.url}/api/projects",
        headers={"Authorization": f"Token {Account().token}"},
        trust_env=False,
        timeout=10,
    )
    assert answer.status_code == 401


def test_the_password_opens_the_login_page(label_studio: LabelStudioServer) -> None:
    with httpx.Client(base_url=label_studio.url, trust_env=False, timeout=10) as browser:
        browser.get("/user/login/")
        form = {
            "email": label_studio.username,
            "password": label_studio.password,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        browser.post("/user/login/", data=form)
        assert browser.get("/api/current-user/whoami").json()["email"] == label_studio.username


def test_strangers_cannot_sign_up(label_studio: LabelStudioServer) -> None:
    with httpx.Client(base_url=label_studio.url, trust_env=False, timeout=10) as browser:
        browser.get("/user/signup/")
        form = {
            "email": "x@y.example",
            "password": "long-enough-1",
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        browser.post("/user/signup/", data=form)
    assert rows(label_studio.data / DATABASE, "htx_user") == 1


def test_data_of_an_earlier_start_is_not_replaced_by_the_template(tmp_path: Path) -> None:
    template, data = tmp_path / "template", tmp_path / "data"
    for folder, content in ((template, b"empty"), (data, b"labels")):
        folder.mkdir()
        (folder / DATABASE).write_bytes(content)
    assert prepare_data(data, template)
    assert (data / DATABASE).read_bytes() == b"labels"


def test_new_data_is_a_private_copy_of_the_template(tmp_path: Path) -> None:
    template, data = tmp_path / "template", tmp_path / "home" / "label-studio"
    template.mkdir()
    (template / DATABASE).write_bytes(b"migrated")
    data.mkdir(parents=True)
    assert prepare_data(data, template)
    assert (data / DATABASE).read_bytes() == b"migrated"
    assert data.stat().st_mode & 0o077 == 0


def test_without_a_template_the_first_start_has_an_empty_folder(tmp_path: Path) -> None:
    assert not prepare_data(tmp_path / "data", tmp_path / "nowhere")
    assert list((tmp_path / "data").iterdir()) == []


def test_missing_server_names_the_cure(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="make install"):
        prepare_template(tmp_path / "label-studio", tmp_path / "template")


def test_secrets_are_neither_in_the_arguments_nor_in_a_repr(tmp_path: Path) -> None:
    account = Account()
    command = label_studio_command(tmp_path / "label-studio", tmp_path, 8080, account)
    shown = " ".join(command.argv) + repr(command) + repr(account)
    assert account.token not in shown
    assert account.password not in shown
