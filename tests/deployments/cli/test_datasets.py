"""`finloop datasets` says which dataset versions there are, and what is in one of them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flows.wiring.parts import Parts
from storage.records import DatasetVersion, Split
from tests.deployments.cli.running import finloop
from tests.fixtures_home import a_verdict, build, register, registered

DROPPED = {"near an audit text": 3}


@pytest.fixture
def dataset(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> DatasetVersion:
    """A dataset in the home that the command looks at."""
    made = replace(build(parts), label_watermark=1, dropped=DROPPED)
    parts.datasets.save(made, {})
    monkeypatch.setenv("FINLOOP_HOME", str(parts.settings.home))
    monkeypatch.setenv("COLUMNS", "400")
    return made


def test_an_empty_home_has_none_and_that_is_no_error(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FINLOOP_HOME", str(parts.settings.home))
    assert finloop(monkeypatch, capsys, "datasets", "--json")[:2] == (0, "[]\n")
    assert finloop(monkeypatch, capsys, "datasets")[0] == 0


def test_without_a_verb_they_are_listed(
    dataset: DatasetVersion, parts: Parts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = finloop(monkeypatch, capsys, "datasets")
    assert "phrasebank train" in out and "near an audit text 3" in out
    assert f"PhraseBank {parts.seed.source}, annotators' labels up to change 1" in out
    listed = finloop(monkeypatch, capsys, "datasets", "list", "--json")[1]
    (told,) = json.loads(listed)
    assert (told["version"], told["dropped"]) == (dataset.version, DROPPED)
    assert [parent["kind"] for parent in told["parents"]] == ["phrasebank", "labels"]
    assert finloop(monkeypatch, capsys, "datasets", "--json")[1] == listed


def test_one_is_shown_with_its_rows_and_the_models_made_of_it(
    dataset: DatasetVersion,
    parts: Parts,
    tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    register(parts, tiny_model, "another dataset")
    version = registered(parts, tiny_model, dataset).version
    parts.registry.record_verdict(version, a_verdict(version, promoted=False))
    found = json.loads(finloop(monkeypatch, capsys, "datasets", "show", dataset.version, "--json")[1])
    assert found["rows"].keys() == set(Split)
    assert sum(count for labels in found["rows"].values() for count in labels.values()) == len(dataset.rows)
    test_rows = [row.label for row in dataset.rows if row.split is Split.TEST]
    assert found["rows"]["test"] == {label: test_rows.count(label) for label in set(test_rows)}
    assert (found["dropped"], found["judged_at"], found["models"]) == (DROPPED, None, {version: "refuse"})
    assert (found["label_watermark"], found["policy"]) == (1, dataset.policy)
    _, out, _ = finloop(monkeypatch, capsys, "datasets", "show", dataset.version[:12])
    assert dataset.version in out and f"version {version}: refuse" in out and "near an audit text 3" in out


def test_one_that_is_not_there_is_named(
    dataset: DatasetVersion, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = finloop(monkeypatch, capsys, "datasets", "show", "nope")
    assert code == 2 and "'nope'" in err


def test_a_beginning_that_two_versions_share_is_refused(
    dataset: DatasetVersion, parts: Parts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts.datasets.save(replace(dataset, version=dataset.version[:12] + "other"), {})
    code, _, err = finloop(monkeypatch, capsys, "datasets", "show", dataset.version[:12])
    assert code == 2 and "2 datasets begin" in err
