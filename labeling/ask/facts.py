"""What a batch reads about a text beside its arrays, and which texts are fit to be asked about at all."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from storage.records import Text
from storage.text import cluster_key

Near = Callable[[Sequence[str], Iterable[str]], set[int]]
"""The positions of texts that are near one of the others, or near an earlier text: what the merge calls near."""

FEW_LETTERS = "too few letters"
ANOTHER_SCRIPT = "another script"
COPY = "copy of another text"


@dataclass(frozen=True, slots=True)
class Fact:
    """One text of the pool: its words, where and when it came from, and what the copies of it have in common.

    `label` is the name of the label that the model predicts, for people; it may be empty. `day` may be unknown.
    """

    text: str
    source: str
    day: date | None
    key: str
    label: str = ""

    @classmethod
    def of(cls, text: Text) -> "Fact":
        """The facts of a stored text: the day of its publication, or else of its ingest."""
        day = (text.published_at or text.ingested_at).date()
        label = text.prediction.label if text.prediction else ""
        return cls(text.text, text.source, day, cluster_key(text.text), label)


def unfit(facts: Sequence[Fact], min_letters: int, script: str, script_share: float) -> dict[int, str]:
    """Position -> reason, of the texts that are not asked about in any case.

    These are texts of fewer than `min_letters` letters, texts of which less than `script_share` of the letters are of
    `script` (empty: any), and all copies of one text but one: of texts with one key the first in the alphabet stays.
    """
    found: dict[int, str] = {}
    kept: dict[str, int] = {}
    for position, fact in enumerate(facts):
        scripts = letters(fact.text)
        if (count := scripts.total()) < min_letters:
            found[position] = FEW_LETTERS
        elif script and scripts[script] < script_share * count:
            found[position] = ANOTHER_SCRIPT
        elif (other := kept.setdefault(fact.key, position)) != position:
            first, later = sorted((other, position), key=lambda one: (facts[one].text, one))
            kept[fact.key] = first
            found[later] = COPY
    return found


def main_script(texts: Iterable[str]) -> str:
    """The script that most letters of the texts have, such as LATIN; empty where there is no letter.

    A script is no language: English and French share one, and `labeling/ask/language.py` tells them apart. The script
    needs no model, so every text of a pool is looked at.
    """
    found: Counter[str] = Counter()
    for text in texts:
        found += letters(text)
    return max(found, key=lambda script: (found[script], script), default="")


def letters(text: str) -> Counter[str]:
    """How many letters of each script a text has."""
    found: Counter[str] = Counter()
    for character, count in Counter(text).items():
        if script := _script(character):
            found[script] += count
    return found


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    """The script of a letter, which is the first word of its name in Unicode; empty for what is no letter."""
    return unicodedata.name(character, "UNKNOWN").split()[0] if character.isalpha() else ""
