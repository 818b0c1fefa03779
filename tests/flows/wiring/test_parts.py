"""The composition root opens what is asked for, nothing else, and never one store in place of another."""

import subprocess
import sys
from pathlib import Path

import pytest

from flows.wiring.cures import settings_named
from flows.wiring.parts import Parts, open_parts
from flows.wiring.settings import REPOSITORY, Settings
from storage.errors import BadInput, Unreachable
from tests.deployments.serving.models import free_port

pytestmark = pytest.mark.usefixtures("clean_environment")


def test_nothing_is_opened_before_it_is_asked_for(tmp_path: Path) -> None:
    with open_parts(Settings(home=tmp_path / "home")):
        assert not (tmp_path / "home").exists()


def test_a_part_is_made_once(parts: Parts) -> None:
    assert parts.texts is parts.texts
    assert parts.engine is parts.engine
    assert parts.registry is parts.registry


def test_labels_and_texts_lie_in_files_of_their_own(parts: Parts) -> None:
    parts.labels.watermark()
    parts.texts.counts()
    names = {path.name for path in parts.settings.home.glob("*.db")}
    assert {"finloop.db", "texts.db"} <= names


def test_an_elasticsearch_that_does_not_answer_is_not_replaced_by_the_embedded_store(parts: Parts) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    away = Parts(parts.settings.model_copy(update={"elasticsearch_url": nowhere}))
    with pytest.raises(Unreachable, match="FINLOOP_ELASTICSEARCH_URL"), settings_named():
        away.texts.counts()
    assert not (parts.settings.home / "texts.db").exists()


def test_a_database_that_is_away_leaves_nothing_open(parts: Parts) -> None:
    """Serving asks again for every batch that it has to log."""
    away = Parts(parts.settings.model_copy(update={"database_url": f"postgresql+psycopg://127.0.0.1:{free_port()}/x"}))
    for _ in range(2):
        with pytest.raises(Unreachable, match="FINLOOP_DATABASE_URL"), settings_named():
            _ = away.engine
    assert away._engines == []


def test_a_home_keeps_its_scheme_and_refuses_another_in_one_sentence(parts: Parts, tmp_path: Path) -> None:
    parts.labels.watermark()
    other = tmp_path / "rumour.toml"
    labels = "".join(f'[[labels]]\nname = "{name}"\nmeaning = "It is."\n' for name in ("confirmed", "rumour"))
    other.write_text(f'name = "rumour"\nquestion = "Is it?"\ninstructions = "Judge."\n{labels}')
    away = Parts(parts.settings.model_copy(update={"scheme": str(other)}))
    with pytest.raises(BadInput) as caught:
        away.labels.watermark()
    said = str(caught.value)
    for named in ("sentiment (positive, neutral, negative)", "rumour (confirmed, rumour)", "FINLOOP_SCHEME", "set it"):
        assert named in said
    assert "\n" not in said
    away.close()
    with open_parts(parts.settings) as again:
        assert again.labels.watermark() == 0
    fresh = Parts(away.settings.model_copy(update={"home": tmp_path / "another"}))
    assert fresh.labels.watermark() == 0
    assert fresh.scheme.names == ("confirmed", "rumour")
    fresh.close()


def test_a_scheme_that_there_is_not_is_named_with_its_setting(parts: Parts) -> None:
    with (
        pytest.raises(BadInput, match=r"gossip.*sentiment \(FINLOOP_SCHEME\)"),
        open_parts(parts.settings.model_copy(update={"scheme": "gossip"})) as other,
    ):
        _ = other.scheme


def test_label_studio_without_an_address_is_named(parts: Parts) -> None:
    with pytest.raises(BadInput, match="FINLOOP_LABEL_STUDIO_URL is not set"):
        _ = parts.studio


def test_the_settings_of_the_environment_are_used_where_none_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINLOOP_HOME", str(tmp_path / "mine"))
    with open_parts() as made:
        assert made.settings.home == tmp_path / "mine"


def test_the_seed_data_are_where_their_setting_says(parts: Parts, tiny_phrasebank: Path) -> None:
    assert parts.seed_path() == tiny_phrasebank
    sample = Parts(parts.settings.model_copy(update={"seed_data": "sample"}))
    assert sample.seed_path() == parts.settings.home.resolve() / "sample"


def test_light_processes_pay_for_no_heavy_import() -> None:
    argv = [
        sys.executable,
        "-X",
        "importtime",
        "-c",
        "import flows.wiring.parts, flows.steps.asking, flows.prefect_api.events, labeling.answer.record",
    ]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60)
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert not imported & {
        "torch",
        "transformers",
        "mlflow",
        "prefect",
        "elasticsearch",
        "matplotlib",
        "label_studio_sdk",
    }
