"""The texts from which a model learnt without a label are known as long as the model is."""

from pathlib import Path

import pytest

from storage.errors import CorruptModel
from storage.models.manifest import Manifest, write_manifest
from storage.models.unlabelled import UNLABELLED, read_unlabelled, write_unlabelled
from tests.storage.models.test_manifest import BARE

TEXTS = ["Öl steigt\u2028", "gold fell"]


def a_model(folder: Path, texts: list[str]) -> Manifest:
    """A folder with weights that learnt from these texts too."""
    (folder / "weights.safetensors").write_bytes(b"weights")
    write_unlabelled(folder, texts)
    return write_manifest(folder, BARE)


def test_what_is_written_is_read_in_the_order_of_the_alphabet(tmp_path: Path) -> None:
    assert read_unlabelled(tmp_path, a_model(tmp_path, TEXTS)) == sorted(TEXTS)


def test_a_model_that_learnt_from_labels_alone_has_no_file(tmp_path: Path) -> None:
    manifest = a_model(tmp_path, [])
    assert not (tmp_path / UNLABELLED).exists()
    assert read_unlabelled(tmp_path, manifest) == []


@pytest.mark.parametrize("left", ['["gold fell"]', '["gold', None])
def test_a_file_that_was_changed_or_is_gone_is_named(tmp_path: Path, left: str | None) -> None:
    manifest = a_model(tmp_path, TEXTS)
    (tmp_path / UNLABELLED).unlink()
    if left is not None:
        (tmp_path / UNLABELLED).write_text(left)
    with pytest.raises(CorruptModel, match=UNLABELLED):
        read_unlabelled(tmp_path, manifest)


def test_the_texts_are_known_though_the_weights_are_damaged(tmp_path: Path) -> None:
    manifest = a_model(tmp_path, TEXTS)
    (tmp_path / "weights.safetensors").write_bytes(b"bits")
    assert read_unlabelled(tmp_path, manifest) == sorted(TEXTS)
