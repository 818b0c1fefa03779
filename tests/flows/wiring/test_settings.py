"""Settings come from one place, in one order, and a wrong one is named."""

import traceback
from pathlib import Path

import pytest

from deployments.local.home import write_environment
from flows.wiring.settings import REPOSITORY, Settings, load_settings, settings_table
from storage.errors import BadInput

pytestmark = pytest.mark.usefixtures("clean_environment")


def test_the_environment_wins_over_dotenv_and_dotenv_over_what_up_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINLOOP_HOME", str(tmp_path))
    write_environment(
        tmp_path / "finloop.env",
        dict.fromkeys(("FINLOOP_PREFECT_URL", "FINLOOP_SERVING_URL", "FINLOOP_RECEIVER_URL"), "http://written"),
        None,
    )
    (tmp_path / ".env").write_text("FINLOOP_SERVING_URL=http://dotenv\nFINLOOP_RECEIVER_URL=http://dotenv\n")
    monkeypatch.setenv("FINLOOP_RECEIVER_URL", "http://environment")
    found = load_settings()
    addresses = (found.prefect_url, found.serving_url, found.receiver_url)
    assert addresses == ("http://written", "http://dotenv", "http://environment")


def test_up_does_not_read_what_an_earlier_up_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINLOOP_HOME", str(tmp_path))
    write_environment(tmp_path / "finloop.env", {"FINLOOP_PREFECT_URL": "http://written"}, None)
    assert load_settings(written_by_up=False).prefect_url is None


def test_a_home_in_dotenv_is_where_the_written_file_is_looked_for(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".env").write_text("FINLOOP_HOME=elsewhere\n")
    write_environment(tmp_path / "elsewhere" / "finloop.env", {"FINLOOP_PREFECT_URL": "http://written"}, None)
    assert load_settings().prefect_url == "http://written"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FINLOOP_RETRAIN_AFTER", "0"),
        ("FINLOOP_RETRAIN_AFTER", "many"),
        ("FINLOOP_AUDIT_SHARE", "0"),
        ("FINLOOP_AUDIT_SHARE", "0.7"),
        ("FINLOOP_AGREEMENT", "60"),
        ("FINLOOP_AGREEMENT", "most"),
        ("FINLOOP_PREFECT_URL", "127.0.0.1:4200"),
        ("FINLOOP_PREFECT_SUFFIX", "mine"),
        ("FINLOOP_PREFECT_SUFFIX", "-"),
        ("FINLOOP_PREFECT_SUFFIX", "-my/home"),
        ("FINLOOP_ELASTICSEARCH_URL", "localhost:9200"),
        ("FINLOOP_PREFECT_URL", "http://127.0.0.1:42OO"),
        ("FINLOOP_ELASTICSEARCH_URL", "http://127.0.0.1:92000"),
        ("FINLOOP_LABEL_STUDIO_URL", "http://127.0.0.1:0"),
        ("FINLOOP_SERVING_URL", "http://:8000"),
        ("FINLOOP_RECEIVER_URL", "http://256.0.0.1:8001"),
        ("FINLOOP_RECEIVER_URL", "http://a..b:8001"),
        ("FINLOOP_RECEIVER_URL", "http://[::1:8001"),
        ("FINLOOP_ELASTICSEARCH_INDEX", "Capital"),
        ("FINLOOP_LOG_PREDICTIONS", "perhaps"),
    ],
)
def test_a_bad_setting_is_named_with_its_value(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as raised:
        load_settings()
    assert name in str(raised.value) and value in str(raised.value)


@pytest.mark.parametrize(
    "url",
    ["http://[::1]:9200", "http://elastic_1:9200", "https://elastic:p%40w@search.example:9200/es", "https://ü.de"],
)
def test_an_address_may_have_any_host_a_path_and_a_user(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINLOOP_ELASTICSEARCH_URL", url)
    assert load_settings().elasticsearch_url == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:4200/api", "http://127.0.0.1:4200/api/"])
def test_what_prefect_itself_calls_its_address_is_refused_with_the_cure(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINLOOP_PREFECT_URL", url)
    with pytest.raises(BadInput, match=f"FINLOOP_PREFECT_URL is '{url}'.*leave out the /api"):
        load_settings()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("elastic:hush@host:9200", "***@host:9200"),
        ("ftp://elastic:hush@host:9200", "ftp://***@host:9200"),
        ("http://elastic:hush@host:92OO", "http://***@host:92OO"),
        ("http://elastic:hush/hush@host:9200", "http://***@host:9200"),
        ("http://elastic:hush@hush@host:0", "http://***@host:0"),
        ("http://elastic:#hush\n@host:9200", "http://***@host:9200"),
    ],
)
def test_no_error_shows_the_password_of_an_address(given: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINLOOP_ELASTICSEARCH_URL", given)
    with pytest.raises(BadInput) as raised:
        load_settings()
    assert f"FINLOOP_ELASTICSEARCH_URL is '{shown}'" in str(raised.value)
    assert "hush" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("name", ["ELASTICSEARCH", "PREFECT", "LABEL_STUDIO"])
@pytest.mark.parametrize("password", ["se#cret", "se/cret", "a?b#c"])
def test_a_password_that_ends_the_host_gets_its_cure(name: str, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"FINLOOP_{name}_URL", f"https://elastic:{password}@localhost:9200")
    with pytest.raises(BadInput, match=r"write # / .* in a password as %23 %2F %3F") as caught:
        load_settings()
    assert password not in str(caught.value)


def test_an_address_has_no_slash_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINLOOP_LABEL_STUDIO_URL", "https://labels.example/")
    assert load_settings().label_studio_url == "https://labels.example"


@pytest.mark.parametrize(("given", "meant"), [("50", 50), ("66", 66), ("75", 75), ("100", 100), ("all", 100)])
def test_the_agreement_levels_go_by_number_or_by_all(given: str, meant: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINLOOP_AGREEMENT", given)
    assert load_settings().agreement == meant


def test_the_old_names_of_a_setting_are_read_and_its_errors_name_the_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINLOOP_PHRASEBANK", "hub")
    monkeypatch.setenv("FINLOOP_PHRASEBANK_AGREEMENT", "all")
    assert (load_settings().seed_data, load_settings().agreement) == ("hub", 100)
    monkeypatch.setenv("FINLOOP_PHRASEBANK_AGREEMENT", "60")
    with pytest.raises(BadInput, match="FINLOOP_AGREEMENT is '60'"):
        load_settings()


@pytest.mark.parametrize(
    ("environment", "dotenv", "written", "meant"),
    [
        ("FINLOOP_PHRASEBANK=environment", "FINLOOP_SEED_DATA=dotenv", "FINLOOP_SEED_DATA", "environment"),
        ("", "FINLOOP_PHRASEBANK=dotenv", "FINLOOP_SEED_DATA", "dotenv"),
        ("", "FINLOOP_SEED_DATA=dotenv", "FINLOOP_PHRASEBANK", "dotenv"),
        ("", "FINLOOP_PHRASEBANK=old\nFINLOOP_SEED_DATA=new", "FINLOOP_PHRASEBANK", "new"),
        ("", "", "FINLOOP_PHRASEBANK", "written"),
    ],
)
def test_an_old_name_in_a_stronger_place_wins_over_a_new_one_in_a_weaker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str, dotenv: str, written: str, meant: str
) -> None:
    monkeypatch.setenv("FINLOOP_HOME", str(tmp_path))
    write_environment(tmp_path / "finloop.env", {written: "written"}, None)
    (tmp_path / ".env").write_text(dotenv + "\n")
    if environment:
        monkeypatch.setenv(*environment.split("="))
    assert load_settings().seed_data == meant


def test_a_needed_setting_that_is_missing_is_named_with_the_cure() -> None:
    with pytest.raises(BadInput, match=r"FINLOOP_PREFECT_URL is not set.\nRun `finloop up`"):
        load_settings().needed("prefect_url")


def test_secrets_are_not_shown_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FINLOOP_ADMIN_TOKEN", "open sesame")
    settings = load_settings()
    assert "open sesame" not in repr(settings)
    assert settings.needed("admin_token") == "open sesame"


def test_labels_and_texts_have_files_of_their_own_unless_one_database_is_given(tmp_path: Path) -> None:
    embedded = Settings(home=tmp_path)
    assert embedded.labels_url != embedded.texts_url
    given = Settings(home=tmp_path, database_url="postgresql://db/finloop")
    assert given.labels_url == given.texts_url == "postgresql://db/finloop"


def test_the_table_in_readme_is_made_of_the_settings() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    _, _, after = readme.partition("<!-- settings -->\n")
    assert after.partition("\n<!-- /settings -->")[0] == settings_table()


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())
    assert str(REPOSITORY) not in settings_table()
