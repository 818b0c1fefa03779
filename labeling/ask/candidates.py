"""The texts among which a batch is chosen: those that the champion doubts most, and a random sample of all others.

The doubtful texts alone would hide what the model is wrongly sure of, and all texts would not fit into memory. Before
there is a champion, a random sample is all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from labeling.ask.facts import COPY, Fact
from labeling.ask.pool import Positions, Probabilities
from storage.labels.tasks import Tasks
from storage.records import Text
from storage.texts.paging import batches
from storage.texts.store import NO_VERSION, TextStore

UNCERTAIN, RANDOM = 50_000, 50_000
"""How many texts of lowest margin, and how many random ones: some 100 MB of texts and numbers."""

PAGE = 500

ASKED = "asked about before"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Texts outside the audit share without a task, each with the champion's prediction; row i belongs to text i.

    Without a champion `probabilities` has no columns.
    `sampled` (texts,) says which of them are a random sample of all such texts: the others are there because the
    champion doubts them. `left_out` maps a reason to the number of texts that were read and left out for that reason.
    """

    text_ids: tuple[str, ...]
    facts: tuple[Fact, ...] = field(repr=False)
    probabilities: Probabilities = field(repr=False)
    sampled: npt.NDArray[np.bool_] = field(repr=False)
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.text_ids)

    @property
    def is_scored(self) -> bool:
        """Whether there is a champion, whose predictions these are."""
        return self.probabilities.shape[1] > 0

    def at(self, positions: Positions) -> "Candidates":
        """These texts alone, in this order."""
        rows = positions.tolist()
        return replace(
            self,
            text_ids=tuple(self.text_ids[row] for row in rows),
            facts=tuple(self.facts[row] for row in rows),
            probabilities=self.probabilities[positions],
            sampled=self.sampled[positions],
        )


def gather(
    store: TextStore,
    tasks: Tasks,
    labels: Sequence[str],
    version: str,
    seed: int,
    uncertain: int = UNCERTAIN,
    random: int = RANDOM,
) -> Candidates:
    """The texts without a task, by the scores of this version: random ones first, then those of lowest margin.

    `labels` are the columns of the probabilities. Of copies that differ only in numbers and links, which a flood of one
    news is made of, the first is taken.
    """
    reader = _Reader(tasks, labels)
    reader.take(store.random_texts(version, seed), random)
    sampled = reader.count
    reader.take(store.lowest_margin(version), uncertain)
    return reader.candidates(sampled)


def gather_first(store: TextStore, tasks: Tasks, most: int = RANDOM) -> Candidates:
    """The texts without a task, before there is a champion: the first by text id, which are a random sample.

    Of copies the first is taken, as `gather` does. What a version that is gone said of the texts counts for nothing.
    """
    reader = _Reader(tasks, labels=())
    every = (replace(text, prediction=None) for text in store.unscored(NO_VERSION) if not text.audit)
    reader.take(every, most)
    return reader.candidates(sampled=reader.count)


class _Reader:
    def __init__(self, tasks: Tasks, labels: Sequence[str]) -> None:
        self._tasks, self._labels = tasks, labels
        self._facts: dict[str, Fact] = {}
        self._rows: list[list[float]] = []
        self._keys: set[str] = set()
        self._seen: set[str] = set()
        self._left_out: Counter[str] = Counter()

    def take(self, texts: Iterable[Text], most: int) -> None:
        """Take at most so many texts. A text that was read before is passed over."""
        found = islice(self._fresh(texts), most)
        for text, fact in found:
            scores = text.prediction.scores if text.prediction else {}
            self._facts[text.text_id] = fact
            self._rows.append([scores[label] for label in self._labels])

    @property
    def count(self) -> int:
        """How many texts were taken so far."""
        return len(self._rows)

    def candidates(self, sampled: int) -> Candidates:
        """The texts, of which the first `sampled` are a random sample."""
        rows = np.array(self._rows, dtype=np.float32).reshape(len(self._rows), len(self._labels))
        is_sampled = np.arange(len(rows)) < sampled
        return Candidates(tuple(self._facts), tuple(self._facts.values()), rows, is_sampled, dict(self._left_out))

    def _fresh(self, texts: Iterable[Text]) -> Iterator[tuple[Text, Fact]]:
        for page in batches(texts, PAGE):
            known = self._tasks.known([text.text_id for text in page])
            for text in page:
                if text.text_id in self._seen:
                    continue
                self._seen.add(text.text_id)
                fact = Fact.of(text)
                if text.text_id in known:
                    self._left_out[ASKED] += 1
                elif fact.key in self._keys:
                    self._left_out[COPY] += 1
                else:
                    self._keys.add(fact.key)
                    yield text, fact
