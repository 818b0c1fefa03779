"""The embeddings of texts by one model, kept in a file: a select a day must not read every text of its pool each day.

The file is a cache: what is damaged, or of another model, is made anew. Half precision is enough for distances.
"""

import os
import uuid
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from storage.sql.files import private_folder

Embeddings = npt.NDArray[np.float32]
"""(texts, dimensions)."""

Embed = Callable[[Sequence[str]], npt.NDArray[np.floating]]
"""The embeddings of some texts by a model, in their order."""

PAGE = 1024
"""Texts that the model reads between two looks at the memory; it sorts them by length."""

MOST = 200_000
"""Embeddings in a file: those of a pool and of the labelled rows. 300 MB at 768 dimensions."""

_UNREADABLE = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile)


def cached_embeddings(path: Path, text_ids: Sequence[str], texts: Sequence[str], embed: Embed) -> Embeddings:
    """The embeddings of the texts, in their order: those in the file, and those that `embed` makes now.

    The file at `path`, of one model version, then holds these too. Of two processes that write it at once, one wins.
    """
    known = _read(path)
    new = [position for position, text_id in enumerate(text_ids) if text_id not in known]
    made = _made([texts[position] for position in new], embed)
    known |= {text_ids[position]: row for position, row in zip(new, made, strict=True)}
    if new:
        _write(path, known, text_ids)
    if not text_ids:
        return np.empty((0, 0), dtype=np.float32)
    return np.stack([known[text_id] for text_id in text_ids]).astype(np.float32)


def forget_others(path: Path) -> None:
    """Delete the files of other model versions beside this one: only the champion's are read again."""
    for other in path.parent.glob(f"*{path.suffix}"):
        if other != path:
            other.unlink(missing_ok=True)


def _made(texts: list[str], embed: Embed) -> npt.NDArray[np.float16]:
    pages = [embed(texts[start : start + PAGE]).astype(np.float16) for start in range(0, len(texts), PAGE)]
    return np.concatenate(pages) if pages else np.empty((0, 0), dtype=np.float16)


def _read(path: Path) -> dict[str, npt.NDArray[np.float16]]:
    try:
        with np.load(path, allow_pickle=False) as kept:
            ids, vectors = kept["ids"], kept["vectors"]
        if vectors.dtype != np.float16 or vectors.ndim != 2 or not np.isfinite(vectors).all():
            return {}
        return dict(zip(ids.tolist(), vectors, strict=True))
    except _UNREADABLE:
        return {}


def _write(path: Path, known: dict[str, npt.NDArray[np.float16]], wanted: Sequence[str]) -> None:
    """Write what was asked for first, and of the rest as much as the file may hold."""
    kept = list(dict.fromkeys([*wanted, *known]))[:MOST]
    private_folder(path.parent)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with aside.open("wb") as file:
            np.savez(file, ids=np.array(kept), vectors=np.stack([known[text_id] for text_id in kept]))
        os.replace(aside, path)  # noqa: PTH105 - atomic, on every system
    finally:
        aside.unlink(missing_ok=True)
