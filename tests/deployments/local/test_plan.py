"""`up` starts a process for what has no address, and keeps what it chose in a file that only its owner reads."""

import stat
from pathlib import Path
from socket import socket
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from deployments.local.home import as_environment
from deployments.local.plan import check_given, make_plan, prefect_environment
from deployments.supervisor.cores import cores
from deployments.supervisor.ports import port_is_free
from flows.wiring.parts import open_parts
from flows.wiring.settings import REPOSITORY, Settings, load_settings
from storage.errors import BadInput, Unreachable
from storage.labels.projects import Project
from tests.deployments.serving.models import free_port

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
    return {process.name for process in make_plan(settings).processes}


def test_everything_is_started_where_nothing_is_given(settings: Settings) -> None:
    plan = make_plan(settings)
    assert {process.name for process in plan.processes} == {*PARTS.values(), *WORKERS}
    ports = [process.port for process in plan.processes if process.port is not None]
    assert len(set(ports)) == 4 and all(port_is_free(port) for port in ports)
    for address in ADDRESSES:
        assert getattr(plan.settings, address).startswith("http://127.0.0.1:")


def test_serving_leaves_half_of_the_cores_to_a_training(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def threads(name: str) -> str | None:
        (process,) = (process for process in make_plan(settings).processes if process.name == name)
        return process.env.get("OMP_NUM_THREADS")

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for allowed in (1, 2, 16):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=allowed: set(range(cores)), raising=False)
        assert (threads("serving"), threads("worker-gpu")) == (str(max(1, cores() // 2)), None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads("serving") == "3"


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_part_that_has_an_address_is_not_started(settings: Settings, address: str) -> None:
    given = settings.model_copy(update={address: "http://elsewhere:1", "label_studio_token": SecretStr("theirs")})
    plan = make_plan(given)
    assert {process.name for process in plan.processes} == {*PARTS.values(), *WORKERS} - {PARTS[address]}
    assert getattr(plan.settings, address) == "http://elsewhere:1"
    assert (plan.account is None) == (address == "label_studio_url")


def test_without_label_studio_on_the_machine_the_cure_is_named(settings: Settings, tmp_path: Path) -> None:
    missing = settings.model_copy(update={"label_studio": tmp_path / "nowhere"})
    with pytest.raises(BadInput, match=r"FINLOOP_LABEL_STUDIO.*\n.*make install"):
        make_plan(missing)
    own = missing.model_copy(update={"label_studio_url": "http://theirs", "label_studio_token": SecretStr("x")})
    assert "label-studio" not in names(own)


def test_our_own_label_studio_knows_its_account_after_another_took_its_place(settings: Settings) -> None:
    before = make_plan(settings).account
    theirs = {"label_studio_url": "http://theirs", "label_studio_token": SecretStr("theirs")}
    assert make_plan(settings.model_copy(update=theirs)).account is None
    assert make_plan(settings).account == before
    assert before is not None and before.token != "theirs"


def test_an_account_without_a_token_of_its_own_has_the_one_beside_it(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "finloop.env").write_text("LOGIN_PASSWORD=p\nFINLOOP_LABEL_STUDIO_TOKEN=t\n")
    account = make_plan(settings).account
    assert account is not None and (account.password, account.token) == ("p", "t")


def test_the_written_file_is_its_owners_and_gives_the_same_settings_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings.model_copy(update={"retrain_after": 7, "log_predictions": False, "agreement": 75})
    plan = make_plan(chosen)
    written = plan.settings.home / "finloop.env"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert not list(plan.settings.home.glob("*.new"))
    monkeypatch.setenv("FINLOOP_HOME", str(plan.settings.home))
    assert load_settings() == plan.settings


def test_an_older_file_that_others_could_read_is_theirs_no_longer(settings: Settings) -> None:
    settings.home.mkdir()
    (settings.home / "finloop.env").write_text("FINLOOP_ADMIN_TOKEN=old\n")
    (settings.home / "finloop.env").chmod(0o644)
    make_plan(settings)
    assert stat.S_IMODE((settings.home / "finloop.env").stat().st_mode) == 0o600


def test_secrets_and_the_login_survive_the_next_up(settings: Settings) -> None:
    first, second = make_plan(settings), make_plan(settings)
    for secret in ("webhook_secret", "admin_token", "label_studio_token"):
        assert first.settings.needed(secret) == second.settings.needed(secret)
        assert len(first.settings.needed(secret)) >= 32
    assert first.account == second.account
    assert first.settings.needed("webhook_secret") != first.settings.needed("admin_token")


def test_a_secret_of_ones_own_is_kept(settings: Settings) -> None:
    make_plan(settings)
    own = settings.model_copy(update={"admin_token": SecretStr("mine")})
    assert make_plan(own).settings.needed("admin_token") == "mine"


def test_no_secret_stands_in_what_is_logged_of_a_make_plan(settings: Settings) -> None:
    plan = make_plan(settings)
    said = repr(plan)
    for secret in ("webhook_secret", "admin_token", "label_studio_token", "prefect_auth"):
        assert plan.settings.needed(secret) not in said
    assert plan.account is not None and plan.account.password not in said


def test_workers_are_told_the_settings_and_the_folders_as_seen_from_anywhere(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "my-phrasebank").mkdir()
    (tmp_path / "my-base").mkdir()
    (tmp_path / "mine.toml").touch()
    plan = make_plan(
        settings.model_copy(update={"seed_data": "my-phrasebank", "base_model": "my-base", "scheme": "mine.toml"})
    )
    worker = next(process for process in plan.processes if process.name == "worker-gpu")
    assert worker.cwd == REPOSITORY
    assert worker.env["FINLOOP_SEED_DATA"] == str(tmp_path / "my-phrasebank")
    assert worker.env["FINLOOP_BASE_MODEL"] == str(tmp_path / "my-base")
    assert worker.env["FINLOOP_SCHEME"] == str(tmp_path / "mine.toml")
    assert worker.env["FINLOOP_HOME"] == str((tmp_path / "home").resolve())
    assert worker.env["PREFECT_API_URL"] == f"{plan.settings.prefect_url}/api"


def test_seed_data_in_a_file_are_found_from_anywhere_too(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("text,label\n")
    plan = make_plan(settings.model_copy(update={"seed_data": "mine.csv"}))
    assert plan.settings.seed_data == str(tmp_path / "mine.csv")


def test_words_that_happen_to_be_folders_keep_their_meaning(settings: Settings, tmp_path: Path) -> None:
    for word in ("sample", "minilm"):
        (tmp_path / word).mkdir()
    plan = make_plan(settings)
    assert (plan.settings.seed_data, plan.settings.base_model) == ("sample", "minilm")


def test_prefect_keeps_to_a_home_of_its_own(settings: Settings) -> None:
    plan = make_plan(settings)
    environment = prefect_environment(plan.settings)
    assert Path(environment["PREFECT_HOME"]).is_relative_to(plan.settings.home)
    assert environment["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    workers = [process for process in plan.processes if process.name in WORKERS]
    assert all(process.needs == ("prefect",) for process in workers)
    assert [process.prepare is not None for process in workers] == [True, True]


def test_no_worker_starts_before_what_the_last_house_left_is_cleared(settings: Settings) -> None:
    """Both wait for the one that applies prefect.yaml, and both have its error: here no server is up."""
    workers = [process for process in make_plan(settings).processes if process.name in WORKERS]
    errors: list[Unreachable] = []
    for process in workers:
        assert process.prepare is not None
        with pytest.raises(Unreachable) as raised:
            process.prepare()
        errors.append(raised.value)
    assert errors[0] is errors[1]


def test_our_prefect_asks_for_a_login_and_a_server_elsewhere_has_its_own(settings: Settings) -> None:
    ours = make_plan(settings)
    (server,) = [process for process in ours.processes if process.name == "prefect"]
    login = ours.settings.needed("prefect_auth")
    assert server.env["PREFECT_SERVER_API_AUTH_STRING"] == login and len(login) > len("finloop:") + 12
    assert make_plan(settings).settings.needed("prefect_auth") == login
    workers = [process for process in ours.processes if process.name in WORKERS]
    assert {process.env["PREFECT_API_AUTH_STRING"] for process in workers} == {login}
    theirs = make_plan(settings.model_copy(update={"prefect_url": "http://theirs:4200"})).settings
    assert theirs.prefect_auth is None
    assert prefect_environment(theirs)["PREFECT_API_AUTH_STRING"] == ""


def suffix(given: Settings) -> str:
    """The suffix of a plan, which the other verbs read in finloop.env."""
    planned = make_plan(given).settings
    assert Settings(_env_file=planned.home / "finloop.env").prefect_suffix == planned.prefect_suffix
    return planned.prefect_suffix


def test_on_a_prefect_elsewhere_the_homes_id_tells_its_names_from_those_of_other_homes(
    settings: Settings, tmp_path: Path
) -> None:
    theirs = settings.model_copy(update={"prefect_url": "http://theirs:4200"})
    with open_parts(theirs) as parts:
        identity = parts.home_identity
    assert suffix(theirs) == suffix(theirs) == f"-{identity[:8]}"
    assert suffix(theirs.model_copy(update={"home": tmp_path / "other"})) != suffix(theirs)
    assert suffix(settings) == ""


@pytest.mark.parametrize("given", ["-mine", ""])
def test_a_suffix_of_ones_own_is_kept_an_empty_one_too(settings: Settings, given: str) -> None:
    own = {"prefect_url": "http://theirs:4200", "prefect_suffix": given}
    assert suffix(settings.model_copy(update=own)) == given


def test_workers_work_for_the_pools_of_their_home(settings: Settings) -> None:
    own = settings.model_copy(update={"prefect_url": "http://theirs:4200", "prefect_suffix": "-mine"})
    for given, pools in ((settings, {"cpu", "gpu"}), (own, {"cpu-mine", "gpu-mine"})):
        workers = [process for process in make_plan(given).processes if process.name in WORKERS]
        assert {process.argv[process.argv.index("--pool") + 1] for process in workers} == pools


def test_workers_of_a_prefect_elsewhere_wait_for_none_of_ours(settings: Settings) -> None:
    plan = make_plan(settings.model_copy(update={"prefect_url": "http://theirs:4200"}))
    assert all(process.needs == () for process in plan.processes if process.name in WORKERS)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_a_part_has_the_settings_of_its_house_and_none_from_where_it_starts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    plan = make_plan(settings)
    Path(".env").write_text(f"FINLOOP_{name.upper()}=http://127.0.0.1:1/of-somebody-else\n")
    monkeypatch.setenv("FINLOOP_DATABASE_URL", "postgresql+psycopg://production")
    for variable, value in as_environment(plan.settings).items():
        monkeypatch.setenv(variable, value)
    assert load_settings() == plan.settings


@pytest.mark.parametrize(
    ("name", "process"),
    [("prefect_url", "Prefect"), ("elasticsearch_url", "Elasticsearch"), ("label_studio_url", "Label Studio")],
)
def test_a_given_server_that_does_not_answer_is_found_before_anything_starts(
    settings: Settings, name: str, process: str
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    given = settings.model_copy(update={name: nowhere, "label_studio_token": SecretStr("0" * 40)})
    with pytest.raises(Unreachable) as raised:
        check_given(given)
    assert process in str(raised.value) and nowhere in str(raised.value)
    assert f"FINLOOP_{name.upper()}" in str(raised.value)


def test_a_label_studio_without_a_token_is_found_before_anything_starts(settings: Settings) -> None:
    with pytest.raises(BadInput, match="FINLOOP_LABEL_STUDIO_TOKEN is not set"):
        check_given(settings.model_copy(update={"label_studio_url": "http://theirs"}))


def test_where_nothing_is_given_nothing_is_asked(settings: Settings) -> None:
    check_given(settings)
    assert not settings.home.exists()


def test_what_is_stored_of_our_own_label_studio_follows_it_to_another_port(settings: Settings) -> None:
    first = make_plan(settings).settings.needed("label_studio_url")
    with open_parts(settings) as parts:
        parts.projects.put(Project(first, 1, epoch="ours"))
        parts.projects.put(Project("http://theirs", 1, epoch="theirs"))
    with socket() as taken:
        taken.bind(("127.0.0.1", urlsplit(first).port or 0))
        taken.listen()
        second = make_plan(settings).settings.needed("label_studio_url")
        theirs = {"label_studio_url": "http://elsewhere", "label_studio_token": SecretStr("theirs")}
        make_plan(settings.model_copy(update=theirs))
    with open_parts(settings) as parts:
        stored = {one.epoch: one.server for one in parts.projects.elsewhere("nowhere")}
    assert second != first
    assert stored == {"ours": second, "theirs": "http://theirs"}
