"""`up` starts a part for what has no address, and keeps what it chose in a file that only its owner reads."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from deployments.home import as_environment
from deployments.house import check_given, plan, prefect_environment
from deployments.ports import port_is_free
from flows.settings import REPOSITORY, Settings, load_settings
from storage.errors import BadInput, Unreachable
from tests.deployments.serving_models import free_port

ADDRESSES = ("label_studio_url", "prefect_url", "serving_url", "receiver_url")
PARTS = {
    "label_studio_url": "label-studio",
    "prefect_url": "prefect",
    "serving_url": "serving",
    "receiver_url": "receiver",
}
WORKERS = {"worker-cpu", "worker-gpu"}

pytestmark = pytest.mark.usefixtures("clean_environment")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Nothing given; a file stands where Label Studio would be installed."""
    executable = tmp_path / "label-studio"
    executable.touch()
    return Settings(home=tmp_path / "home", label_studio=executable)


def names(settings: Settings) -> set[str]:
    return {part.name for part in plan(settings).parts}


def test_everything_is_started_where_nothing_is_given(settings: Settings) -> None:
    house = plan(settings)
    assert {part.name for part in house.parts} == {*PARTS.values(), *WORKERS}
    ports = [part.port for part in house.parts if part.port is not None]
    assert len(set(ports)) == 4 and all(port_is_free(port) for port in ports)
    for address in ADDRESSES:
        assert getattr(house.settings, address).startswith("http://127.0.0.1:")


def test_serving_leaves_half_of_the_cores_to_a_training(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def threads(name: str) -> str | None:
        (part,) = (part for part in plan(settings).parts if part.name == name)
        return part.env.get("OMP_NUM_THREADS")

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for cores, expected in ((1, "1"), (2, "1"), (16, "8")):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)), raising=False)
        assert (threads("serving"), threads("worker-gpu")) == (expected, None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads("serving") == "3"


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_part_that_has_an_address_is_not_started(settings: Settings, address: str) -> None:
    given = settings.model_copy(update={address: "http://elsewhere:1", "label_studio_token": SecretStr("theirs")})
    house = plan(given)
    assert {part.name for part in house.parts} == {*PARTS.values(), *WORKERS} - {PARTS[address]}
    assert getattr(house.settings, address) == "http://elsewhere:1"
    assert (house.account is None) == (address == "label_studio_url")


def test_without_label_studio_on_the_machine_the_cure_is_named(settings: Settings, tmp_path: Path) -> None:
    missing = settings.model_copy(update={"label_studio": tmp_path / "nowhere"})
    with pytest.raises(BadInput, match=r"FINLOOP_LABEL_STUDIO.*\n.*make install"):
        plan(missing)
    own = missing.model_copy(update={"label_studio_url": "http://theirs", "label_studio_token": SecretStr("x")})
    assert "label-studio" not in names(own)


def test_our_own_label_studio_knows_its_account_after_another_took_its_place(settings: Settings) -> None:
    before = plan(settings).account
    theirs = {"label_studio_url": "http://theirs", "label_studio_token": SecretStr("theirs")}
    assert plan(settings.model_copy(update=theirs)).account is None
    assert plan(settings).account == before
    assert before is not None and before.token != "theirs"


def test_an_account_without_a_token_of_its_own_has_the_one_beside_it(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "finloop.env").write_text("LOGIN_PASSWORD=p\nFINLOOP_LABEL_STUDIO_TOKEN=t\n")
    account = plan(settings).account
    assert account is not None and (account.password, account.token) == ("p", "t")


def test_the_written_file_is_its_owners_and_gives_the_same_settings_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings.model_copy(update={"retrain_after": 7, "log_predictions": False, "phrasebank_agreement": 75})
    house = plan(chosen)
    written = house.settings.home / "finloop.env"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert not list(house.settings.home.glob("*.new"))
    monkeypatch.setenv("FINLOOP_HOME", str(house.settings.home))
    assert load_settings() == house.settings


def test_an_older_file_that_others_could_read_is_theirs_no_longer(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "finloop.env").write_text("FINLOOP_ADMIN_TOKEN=old\n")
    (settings.home / "finloop.env").chmod(0o644)
    plan(settings)
    assert stat.S_IMODE((settings.home / "finloop.env").stat().st_mode) == 0o600


def test_secrets_and_the_login_survive_the_next_up(settings: Settings) -> None:
    first, second = plan(settings), plan(settings)
    for secret in ("webhook_secret", "admin_token", "label_studio_token"):
        assert first.settings.needed(secret) == second.settings.needed(secret)
        assert len(first.settings.needed(secret)) >= 32
    assert first.account == second.account
    assert first.settings.needed("webhook_secret") != first.settings.needed("admin_token")


def test_a_secret_of_ones_own_is_kept(settings: Settings) -> None:
    plan(settings)
    own = settings.model_copy(update={"admin_token": SecretStr("mine")})
    assert plan(own).settings.needed("admin_token") == "mine"


def test_no_secret_stands_in_what_is_logged_of_a_plan(settings: Settings) -> None:
    house = plan(settings)
    said = repr(house)
    for secret in ("webhook_secret", "admin_token", "label_studio_token"):
        assert house.settings.needed(secret) not in said
    assert house.account is not None and house.account.password not in said


def test_workers_are_told_the_settings_and_the_folders_as_seen_from_anywhere(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "my-phrasebank").mkdir()
    (tmp_path / "my-base").mkdir()
    house = plan(settings.model_copy(update={"phrasebank": "my-phrasebank", "base_model": "my-base"}))
    worker = next(part for part in house.parts if part.name == "worker-gpu")
    assert worker.cwd == REPOSITORY
    assert worker.env["FINLOOP_PHRASEBANK"] == str(tmp_path / "my-phrasebank")
    assert worker.env["FINLOOP_BASE_MODEL"] == str(tmp_path / "my-base")
    assert worker.env["FINLOOP_HOME"] == str((tmp_path / "home").resolve())
    assert worker.env["PREFECT_API_URL"] == f"{house.settings.prefect_url}/api"


def test_words_that_happen_to_be_folders_keep_their_meaning(settings: Settings, tmp_path: Path) -> None:
    for word in ("sample", "minilm"):
        (tmp_path / word).mkdir()
    house = plan(settings)
    assert (house.settings.phrasebank, house.settings.base_model) == ("sample", "minilm")


def test_prefect_keeps_to_a_home_of_its_own(settings: Settings) -> None:
    house = plan(settings)
    environment = prefect_environment(house.settings)
    assert Path(environment["PREFECT_HOME"]).is_relative_to(house.settings.home)
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    workers = [part for part in house.parts if part.name in WORKERS]
    assert all(part.needs == ("prefect",) for part in workers)
    assert [part.prepare is not None for part in workers] == [True, False]


def test_workers_of_a_prefect_elsewhere_wait_for_none_of_ours(settings: Settings) -> None:
    house = plan(settings.model_copy(update={"prefect_url": "http://theirs:4200"}))
    assert all(part.needs == () for part in house.parts if part.name in WORKERS)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_part_has_the_settings_of_its_house_and_none_from_where_it_starts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    house = plan(settings)
    Path(".env").write_text(f"FINLOOP_{name.upper()}=http://127.0.0.1:1/of-somebody-else\n")
    monkeypatch.setenv("FINLOOP_DATABASE_URL", "postgresql+psycopg://production")
    for variable, value in as_environment(house.settings).items():
        monkeypatch.setenv(variable, value)
    assert load_settings() == house.settings


@pytest.mark.parametrize(
    ("name", "part"),
    [("prefect_url", "Prefect"), ("elasticsearch_url", "Elasticsearch"), ("label_studio_url", "Label Studio")],
)
def test_a_given_server_that_does_not_answer_is_found_before_anything_starts(
    settings: Settings, name: str, part: str
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    given = settings.model_copy(update={name: nowhere, "label_studio_token": SecretStr("0" * 40)})
    with pytest.raises(Unreachable) as raised:
        check_given(given)
    assert part in str(raised.value) and nowhere in str(raised.value)
    assert f"FINLOOP_{name.upper()}" in str(raised.value)


def test_a_label_studio_without_a_token_is_found_before_anything_starts(settings: Settings) -> None:
    with pytest.raises(BadInput, match="FINLOOP_LABEL_STUDIO_TOKEN is not set"):
        check_given(settings.model_copy(update={"label_studio_url": "http://theirs"}))


def test_where_nothing_is_given_nothing_is_asked(settings: Settings) -> None:
    check_given(settings)
    assert not settings.home.exists()
