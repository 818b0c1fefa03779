"""A report rests on rows that neither version learnt from, and names what is missing."""

import shutil
from pathlib import Path

import pytest

from flows.steps.report import Report, report
from flows.wiring.parts import Parts
from storage.errors import BadInput, CorruptModel, UnknownVersion
from storage.models.unlabelled import write_unlabelled
from storage.records import Purpose, Split
from tests.fixtures_home import answer, build, register, registered, sentence


def reported(parts: Parts, name: str, against: str | None = None, words: Path | None = None) -> Report:
    return report(name, against, parts.registry, parts.labels, parts.datasets, parts.texts, parts.scheme, words)


def test_the_other_version_is_the_champion_and_for_the_champion_the_previous_one(
    parts: Parts, tiny_model: Path
) -> None:
    dataset = build(parts)
    one, two = (register(parts, tiny_model, dataset.version, f"recipe {at}", at).version for at in range(2))
    assert reported(parts, one).other is None
    parts.registry.set_alias("champion", one)
    parts.registry.set_alias("previous", two)
    for name, other in ((two, one), ("champion", two)):
        found = reported(parts, name).other
        assert found is not None and found.version == other
    with pytest.raises(BadInput, match="itself"):
        reported(parts, one, "champion")


def test_both_versions_and_the_baselines_are_run_on_rows_that_are_new_to_both(parts: Parts, tiny_model: Path) -> None:
    dataset = build(parts)
    trained = next(row for row in dataset.rows if row.split is Split.TRAIN)
    tested = [row.text for row in dataset.rows if row.split is Split.TEST]
    clean = sentence(8, "never seen")
    for text in (clean, trained.text + " now"):
        answer(parts, text, "neutral", Purpose.AUDIT)
    one, two = (register(parts, tiny_model, dataset.version, f"recipe {at}", at).version for at in range(2))
    audit, rows = reported(parts, two, one).grounds
    assert audit.this is not None and audit.other is not None and rows.this is not None and rows.other is not None
    assert audit.this.texts == audit.other.texts == (clean,)
    assert set(rows.this.texts) == set(rows.other.texts) == set(tested)
    assert set(audit.baselines) == {"majority label", "TF-IDF"}
    assert all(found.texts == rows.this.texts for found in rows.baselines.values())
    assert audit.known["source"] == ["feed"]


def test_a_test_row_that_the_other_version_learnt_from_is_left_out(
    parts: Parts, tiny_model: Path, tmp_path: Path
) -> None:
    dataset = build(parts)
    tested = [row.text for row in dataset.rows if row.split is Split.TEST]
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    write_unlabelled(model, [tested[0] + " now"])
    version = register(parts, tiny_model, dataset.version, "one").version
    other = register(parts, model, dataset.version, "other").version
    found = reported(parts, version, other).grounds[1].this
    assert found is not None and set(found.texts) == set(tested[1:])


def test_a_version_of_a_dataset_that_is_gone_has_no_rows_to_trust(parts: Parts, tiny_model: Path) -> None:
    version = register(parts, tiny_model, "lost").version
    with pytest.raises(UnknownVersion, match="'lost', which is gone"):
        reported(parts, version)


def test_a_damaged_model_is_refused(parts: Parts, tiny_model: Path) -> None:
    version = registered(parts, tiny_model, build(parts)).version
    (parts.registry.source(version) / "config.json").write_text("{}")
    with pytest.raises(CorruptModel):
        reported(parts, version)


def test_a_list_of_words_is_one_more_baseline(parts: Parts, tiny_model: Path, tmp_path: Path) -> None:
    version = registered(parts, tiny_model, build(parts)).version
    words = tmp_path / "words.csv"
    words.write_text("word,sentiment\nrose,positive\nfell,negative\n")
    found = reported(parts, version, words=words).grounds[1].baselines["word list"]
    assert found.predicted == found.truth
