"""The texts of a measurement: what a model starts from, what annotators may be asked about, and what judges.

Nothing that trained judges. A text of the stream that is a near-duplicate of a judging text is left out. The judging
texts take the audit's part in the merge, so no seed row near them trains either.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.records import Label, Purpose, Row
from storage.scheme import Scheme, find_scheme
from storage.text import text_id
from storage.texts.csv import read_texts
from training.data.clusters import near_duplicates
from training.data.merge import MergePolicy, merge
from training.data.seed import SeedData, read_seed
from training.judge.evaluate import Examples, examples
from training.model.base_model import BaseModel, find_base_model


@dataclass(frozen=True, slots=True)
class Task:
    """Seed data, the stream with its answer key, and the texts apart. `key` is the hash of all three and the base."""

    seed: SeedData
    stream: Examples
    judge: Examples
    scheme: Scheme
    base: BaseModel
    left_out: int
    key: str

    def rows(self, answered: Sequence[int]) -> tuple[Row, ...]:
        """The rows of the product's merge when these positions of the stream have been labelled."""
        labels = [
            Label(text_id(self.stream.texts[at]), self.stream.texts[at], Purpose.SELECT, self.stream.truth[at], 1, rank)
            for rank, at in enumerate(answered)
        ]
        return merge(self.seed, labels, self.judge.texts, {}, MergePolicy()).rows


def read_task(seed: Path, agreement: int, stream: Path, judge: Path, scheme: str, base: str, cache: Path) -> Task:
    """Read and check the files; `cache` is for a base model of the hub. Raises BadInput for an unusable file."""
    wanted = find_scheme(scheme)
    start, asked, apart = read_seed(seed, agreement, wanted), _labelled(stream, wanted), _labelled(judge, wanted)
    near = {mine for mine, _ in near_duplicates(list(asked), list(apart))}
    kept = {text: label for at, (text, label) in enumerate(asked.items()) if at not in near}
    model = find_base_model(base, cache)
    content = repr((start.sha256, agreement, sorted(kept.items()), sorted(apart.items()), model.name, wanted.hash))
    key = hashlib.sha256(content.encode()).hexdigest()[:16]
    left_out = len(asked) - len(kept)
    return Task(start, examples(kept.items()), examples(apart.items()), wanted, model, left_out, key)


def _labelled(path: Path, scheme: Scheme) -> dict[str, str]:
    """Text -> label, each text once; rows without a label have no answer key and are left out."""
    return {row.text: row.label for row in read_texts(path, scheme).rows if row.label is not None}
