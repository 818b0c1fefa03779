"""Recognises the languages of texts, so that nobody is asked about a text in a language that the model never learnt.

The recogniser is py3langid, a small model of some 140 languages that runs offline. It is unsure of short texts, and an
unsure answer leaves no text out: of 7,052 English-looking posts on finance it was sure of another language in 15, and
all 15 were in that language; without the bound it took 516 posts for foreign ones.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from labeling.ask.facts import main_script
from storage.text import LINKS_AND_TAGS

SAMPLE = 1000
"""Texts that tell the languages of the seed data; 3,000 texts a second are recognised."""
CERTAIN = 0.9
NO_LANGUAGE = "zxx"
"""The recogniser's code for what has no words, such as a text of numbers and codes: an annotator can still judge it."""
LEAST_SHARE = 0.02
"""A language of fewer of the sample's texts is a slip of the recogniser, or of the data."""


@dataclass(frozen=True, slots=True)
class Written:
    """How the texts are written that a model learnt from: their main script, and their languages. Empty: any."""

    script: str = ""
    languages: frozenset[str] = frozenset()

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Written":
        """The script of most letters, and the languages of which the recogniser is certain."""
        return cls(main_script(texts), languages(texts))


def languages(texts: Iterable[str]) -> frozenset[str]:
    """The codes of the languages (ISO 639-1) that these texts are written in; empty where none is certain."""
    given = list(texts)
    sample = given[:: max(1, len(given) // SAMPLE)]
    found = Counter(code for code, certainty in map(_recognised, sample) if certainty >= CERTAIN)
    return frozenset(code for code, count in found.items() if count >= LEAST_SHARE * len(sample))


def foreign(texts: Sequence[str], known: frozenset[str], certainty: float) -> set[int]:
    """The positions of the texts that are surely, by more than `certainty`, in none of the known languages.

    Where no language is known, or `certainty` is 1, no text is foreign.
    """
    if not known or certainty >= 1:
        return set()
    said = [_recognised(text) for text in texts]
    return {at for at, (code, sure) in enumerate(said) if code not in known and sure > certainty}


def _recognised(text: str) -> tuple[str, float]:
    """The likeliest language of a text, and its probability: 0 where the text is in no language.

    Links and cashtags are no language.
    """
    code, certainty = _recogniser().classify(LINKS_AND_TAGS.sub(" ", text))
    return str(code), 0.0 if code == NO_LANGUAGE else float(certainty)


@cache
def _recogniser() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # a second

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
