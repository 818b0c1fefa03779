import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from storage.errors import BadInput, CorruptModel
from storage.models.manifest import Manifest, check_manifest, read_manifest, write_manifest

BARE = Manifest(
    base_model="minilm",
    exposed=False,
    dataset_version="d" * 64,
    recipe={"epochs": 2},
    recipe_hash="r" * 64,
    metrics={"macro_f1": 0.5},
    scheme="sentiment",
    labels=("positive", "neutral", "negative"),
    created_at=datetime(2026, 1, 2, tzinfo=UTC),
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "weights.safetensors").write_bytes(bytes(range(256)) * 40)
    (folder / "deep" / "vocab.txt").write_text("loss\nprofit\n")
    write_manifest(folder, BARE)
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(CorruptModel) as caught:
        check_manifest(folder)
    return str(caught.value)


def rewrite(folder: Path, files: dict[str, str]) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"files": files}))


def test_an_untouched_folder_gives_the_manifest_that_was_written(model: Path) -> None:
    manifest = check_manifest(model)
    assert manifest.model_copy(update={"files": {}}) == BARE
    assert set(manifest.files) == {"weights.safetensors", "deep/vocab.txt"}


@settings(max_examples=30)
@given(position=st.integers(0, 256 * 40 - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found_and_its_file_named(
    tmp_path_factory: pytest.TempPathFactory, position: int, bit: int
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    content = bytearray(bytes(range(256)) * 40)
    (folder / "weights.safetensors").write_bytes(content)
    write_manifest(folder, BARE)
    content[position] ^= 1 << bit
    (folder / "weights.safetensors").write_bytes(content)
    assert "weights.safetensors does not match" in refusal(folder)


def test_a_missing_file_is_named(model: Path) -> None:
    (model / "deep" / "vocab.txt").unlink()
    assert "vocab.txt is missing" in refusal(model)


def test_an_additional_file_is_named(model: Path) -> None:
    (model / "deep" / "modeling.py").write_text("print('hello')")
    assert "modeling.py is not in the manifest" in refusal(model)


@pytest.mark.parametrize("name", ["../outside.bin", "/etc/hostname", "deep/../../outside.bin", "..\\outside.bin"])
def test_a_manifest_that_names_a_path_outside_is_refused(model: Path, name: str) -> None:
    (model.parent / "outside.bin").write_text("x")
    rewrite(model, read_manifest(model).files | {name: "0" * 64})
    assert "outside the model folder" in refusal(model)


def test_a_link_is_refused_even_where_its_content_is_right(model: Path) -> None:
    weights = model / "weights.safetensors"
    weights.rename(model.parent / "elsewhere")
    weights.symlink_to(model.parent / "elsewhere")
    assert "weights.safetensors is a link" in refusal(model)


def test_a_linked_directory_is_refused(model: Path) -> None:
    (model.parent / "other").mkdir()
    (model / "linked").symlink_to(model.parent / "other")
    assert "linked is not in the manifest" in refusal(model)


def test_a_missing_manifest_is_named(model: Path) -> None:
    (model / "manifest.json").unlink()
    assert "manifest.json cannot be read" in refusal(model)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}'])
def test_an_unreadable_manifest_is_refused(model: Path, content: str) -> None:
    (model / "manifest.json").write_text(content)
    assert "manifest.json is not a manifest" in refusal(model)


def test_a_manifest_of_format_1_is_one_of_the_scheme_that_there_was_then(model: Path) -> None:
    path = model / "manifest.json"
    old = json.loads(path.read_text()) | {"format": 1}
    del old["scheme"]
    path.write_text(json.dumps(old))
    found = check_manifest(model)
    assert (found.format, found.scheme, found.labels) == (2, "sentiment", ("positive", "neutral", "negative"))


@pytest.mark.parametrize("number", [1, 21])
def test_a_model_has_two_to_twenty_labels(number: int) -> None:
    labels = tuple(f"label {each}" for each in range(number))
    with pytest.raises(ValidationError):
        Manifest.model_validate(BARE.model_dump() | {"labels": labels})


def test_a_manifest_of_a_later_format_is_refused(model: Path) -> None:
    path = model / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 3}))
    assert "format 3" in refusal(model)


def test_a_folder_without_files_gets_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no model files"):
        write_manifest(tmp_path, BARE)
    assert not list(tmp_path.iterdir())
