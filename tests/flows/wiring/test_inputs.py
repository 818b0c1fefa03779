"""Inputs of a training count as the same only while no setting and no file that a setting names has changed."""

from pathlib import Path

import pytest

from flows.wiring.inputs import training_inputs
from flows.wiring.settings import Settings


def test_other_settings_and_changed_files_are_other_inputs(tmp_path: Path) -> None:
    base, data = tmp_path / "base", tmp_path / "seed.csv"
    base.mkdir()
    data.write_text("text,label\n")
    settings = Settings(base_model=str(base), seed_data=str(data))
    seen = {training_inputs(settings)}
    assert training_inputs(settings) in seen
    (base / "tokenizer.json").write_text("{}")
    seen.add(training_inputs(settings))
    data.write_text("text,label\nrose,positive\n")
    seen.add(training_inputs(settings))
    for other in ({"base_model": "minilm"}, {"agreement": 100}, {"scheme": "rumour"}):
        seen.add(training_inputs(settings.model_copy(update=other)))
    assert len(seen) == 6


@pytest.mark.parametrize("name", ["minilm", "owner/model", "~/nowhere"])
def test_a_name_that_is_no_folder_is_an_input_by_itself(name: str) -> None:
    assert training_inputs(Settings(base_model=name)) == training_inputs(Settings(base_model=name))
