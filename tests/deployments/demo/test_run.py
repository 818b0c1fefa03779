"""What the demo refuses before it starts anything."""

from pathlib import Path

import pytest

from deployments.demo.run import Options, own_settings, run_demo, text_store
from storage.errors import BadInput

pytestmark = pytest.mark.usefixtures("clean_environment")


def texts(path: Path, labelled: int, unlabelled: int = 0) -> Path:
    """A CSV of so many texts that differ."""
    lines = [f"{index} is up,positive" for index in range(labelled)]
    lines += [f"nobody said what {index} is," for index in range(unlabelled)]
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return path


def options(home: Path, texts: Path | None = None, labels: int = 10, audit: int = 60) -> Options:
    return Options(texts=texts, labels=labels, audit=audit, home=home, rounds=1, seed=0, keep=False)


def test_a_demo_touches_no_service_receiver_or_prefect_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SERVING_URL", "RECEIVER_URL", "PREFECT_URL", "DATABASE_URL"):
        monkeypatch.setenv(f"FINLOOP_{name}", "http://in.production:1")
    for name in ("ADMIN_TOKEN", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"FINLOOP_{name}", "of production")
    monkeypatch.setenv("FINLOOP_PREFECT_SUFFIX", "-production")
    settings = own_settings(options(tmp_path / "work"))
    given = settings.model_dump_json() + str(settings.admin_token and settings.admin_token.get_secret_value())
    assert "production" not in given
    assert settings.home == tmp_path / "work"


@pytest.mark.parametrize(("variable", "value"), [("FINLOOP_SEED_DATA", "/nowhere"), ("FINLOOP_BASE_MODEL", "/nowhere")])
def test_files_that_cannot_be_read_are_told_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("FINLOOP_ELASTICSEARCH_URL", "http://127.0.0.1:1")
    with pytest.raises(BadInput, match=variable):
        run_demo(options(tmp_path / "work", texts(tmp_path / "posts.csv", 400)))
    assert not (tmp_path / "work" / "finloop.env").exists()


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    settings = own_settings(options(tmp_path)).model_copy(
        update={"elasticsearch_url": "https://elastic:hush@es.example:9243"}
    )
    assert text_store(settings).startswith("Elasticsearch at https://es.example:9243, index finloop-demo-")


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "labels", "audit", "said"),
    [
        (100, 0, 10, 60, "too few for an audit of 60"),
        (400, 0, 300, 100, "too few for 300 labels"),
        (200, 2000, 190, 60, "200 texts that can be answered"),
    ],
)
def test_too_few_texts_are_told_before_anything_starts(
    tmp_path: Path, labelled: int, unlabelled: int, labels: int, audit: int, said: str
) -> None:
    path = texts(tmp_path / "posts.csv", labelled, unlabelled)
    home = tmp_path / "work"
    with pytest.raises(BadInput, match=said):
        run_demo(options(home, path, labels, audit))
    assert not home.exists() or not any(home.iterdir())
