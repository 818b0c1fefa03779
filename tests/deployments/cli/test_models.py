"""`finloop models` says which model versions there are, and what the gate said of one of them."""

import json
from pathlib import Path

import pytest

from flows.wiring.parts import Parts
from storage.models.verdict import Check
from tests.deployments.cli.running import finloop
from tests.fixtures_home import a_verdict, build, register

CHECK = Check(name="audit rows", value=3, threshold=50, passed=False, why="3 answered audit rows of at least 50")


@pytest.fixture(autouse=True)
def home(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The home that the command looks at."""
    monkeypatch.setenv("FINLOOP_HOME", str(parts.settings.home))
    monkeypatch.setenv("COLUMNS", "400")


def test_an_empty_registry_has_none_and_that_is_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finloop(monkeypatch, capsys, "models", "--json")[:2] == (0, "[]\n")
    assert finloop(monkeypatch, capsys, "models")[0] == 0


def test_without_a_verb_they_are_listed(
    parts: Parts, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (register(parts, tiny_model, f"data {number}").version for number in range(2))
    parts.registry.record_verdict(one, a_verdict(one))
    listed = finloop(monkeypatch, capsys, "models", "list", "--json")[1]
    rows = [(row["version"], row["verdict"]) for row in json.loads(listed)]
    assert rows == [(one, "promoted: so it is"), (two, "not judged")]
    assert finloop(monkeypatch, capsys, "models", "--json")[1] == listed


def test_one_is_shown_with_its_manifest_and_every_check_of_its_verdict(
    parts: Parts, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = register(parts, tiny_model)
    verdict = a_verdict(version.version, promoted=False).model_copy(update={"checks": (CHECK,)})
    parts.registry.record_verdict(version.version, verdict)
    parts.registry.set_alias("champion", version.version)
    found = json.loads(finloop(monkeypatch, capsys, "models", "show", "champion", "--json")[1])
    assert (found["version"], found["aliases"]) == (version.version, ["champion"])
    assert found["manifest"] == version.manifest.model_dump(mode="json")
    assert found["verdict"] == verdict.model_dump(mode="json")
    _, out, _ = finloop(monkeypatch, capsys, "models", "show", version.version)
    for said in ("champion", "tiny", "model.safetensors", "refused: so it is", CHECK.why):
        assert said in out


def test_one_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = finloop(monkeypatch, capsys, "models", "show", "7")
    assert code == 2 and "'7'" in err


def test_a_report_is_a_file_with_the_sentence_that_the_terminal_shows(
    parts: Parts, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = build(parts)
    one, two = (register(parts, tiny_model, dataset.version, f"recipe {at}", at).version for at in range(2))
    parts.registry.set_alias("champion", one)
    file = tmp_path / "report.html"
    code, out, _ = finloop(monkeypatch, capsys, "models", "report", two, "--output", str(file), "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["version"], found["against"], found["file"]) == (two, one, str(file))
    assert found["rows"]["Audit slice"] == 0
    assert found["sentence"].split(" (")[0] in file.read_text()
    assert finloop(monkeypatch, capsys, "models", "report", "champion")[0] == 0
    assert (tmp_path / f"model-report-{one}.html").is_file()


def test_a_report_that_cannot_be_made_names_its_cure_and_writes_nothing(
    parts: Parts, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = register(parts, tiny_model, build(parts).version).version
    assert "'7'" in finloop(monkeypatch, capsys, "models", "report", "7")[2]
    monkeypatch.setenv("FINLOOP_SENTIMENT_WORDS", str(tmp_path / "none.csv"))
    code, _, err = finloop(monkeypatch, capsys, "models", "report", version)
    assert code == 2 and "(FINLOOP_SENTIMENT_WORDS)" in err and "Traceback" not in err
    assert not list(tmp_path.glob("*.html"))
