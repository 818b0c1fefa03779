"""Embeddings are made once for a text and a model, and never believed where their file is damaged."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from training.model.embedding_cache import cached_embeddings, forget_others

WORDS = ["profit rose", "loss fell", "meeting held"]
IDS = ["a", "b", "c"]


class Reader:
    """Embeds a text by its letters, and remembers what it read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.floating]:
        self.read += texts
        return np.array([[len(text), text.count("e"), ord(text[0])] for text in texts], dtype=np.float32)


def test_a_text_is_read_once(tmp_path: Path) -> None:
    first, second = Reader(), Reader()
    kept = tmp_path / "cache" / "1.npz"
    some = cached_embeddings(kept, IDS[:2], WORDS[:2], first)
    every = cached_embeddings(kept, IDS[::-1], WORDS[::-1], second)
    assert (first.read, second.read) == (WORDS[:2], WORDS[2:])
    assert np.array_equal(every[::-1][:2], some)
    assert np.array_equal(every, Reader()(WORDS[::-1]))


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    kept, reader = tmp_path / "1.npz", Reader()
    cached_embeddings(kept, IDS, WORDS, Reader())
    whole = kept.read_bytes()
    place = whole.rindex(np.float16(len(WORDS[0])).tobytes())  # a bit of a vector, whose sum no longer fits
    kept.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :] if damage is None else damage)
    assert np.array_equal(cached_embeddings(kept, IDS, WORDS, reader), Reader()(WORDS))
    assert reader.read == WORDS
    assert cached_embeddings(kept, IDS, WORDS, Reader()).shape == (3, 3)


def test_nothing_is_read_for_no_text(tmp_path: Path) -> None:
    assert len(cached_embeddings(tmp_path / "1.npz", [], [], Reader())) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_files_of_other_versions_go(tmp_path: Path) -> None:
    for version in ("1", "2"):
        cached_embeddings(tmp_path / f"{version}.npz", IDS, WORDS, Reader())
    forget_others(tmp_path / "2.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["2.npz"]
