"""The texts from which a model learnt without a label are known as long as the model is."""

from pathlib import Path

import pytest

from storage.errors import CorruptModel
from storage.models.unlabelled import UNLABELLED, read_unlabelled, write_unlabelled


def test_what_is_written_is_read_in_the_order_of_the_alphabet(tmp_path: Path) -> None:
    write_unlabelled(tmp_path, ["Öl steigt\u2028", "gold fell"])
    assert read_unlabelled(tmp_path) == ["gold fell", "Öl steigt\u2028"]


def test_a_model_that_learnt_from_labels_alone_has_no_file(tmp_path: Path) -> None:
    write_unlabelled(tmp_path, [])
    assert not list(tmp_path.iterdir())
    assert read_unlabelled(tmp_path) == []


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / UNLABELLED).write_text('["gold')
    with pytest.raises(CorruptModel, match=UNLABELLED):
        read_unlabelled(tmp_path)
