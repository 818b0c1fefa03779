"""Text identity. The id is the hash of the normalised text, so the same news from two feeds is one text for ever."""

import hashlib
import re
import unicodedata

from storage.errors import BadInput

MAX_CHARACTERS = 20_000
"""Longer than any news item that a person labels; a 100,000-character text is a mistake in the feed."""


def normalise(text: str) -> str:
    """NFKC-normalised, with every run of whitespace as one space and none at the ends."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def text_id(text: str) -> str:
    """32 hexadecimal digits of the SHA-256 of the normalised text."""
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:32]


def checked(text: str) -> str:
    """The normalised text; raises BadInput for an empty one, a NUL or lone surrogate, or more than MAX_CHARACTERS."""
    clean = normalise(text)
    if not clean:
        raise BadInput("the text is empty")
    if len(clean) > MAX_CHARACTERS:
        raise BadInput(f"the text has {len(clean):,} characters, more than {MAX_CHARACTERS:,}")
    if "\x00" in clean or any("\ud800" <= character <= "\udfff" for character in clean):
        raise BadInput("the text holds a character that cannot be stored (NUL or a lone surrogate)")
    return clean


_VARIABLE = re.compile(r"(?:https?://|www\.)\S+|[$@]\w+(?:[.:_-]\w+)*", re.IGNORECASE)
"""Links, cashtags and mentions: the same news is repeated with others."""


def cluster_key(text: str) -> str:
    """The hash of a text without links, cashtags, mentions, numbers, punctuation, case and whitespace.

    Copies of one news that differ in these have one key. A text of which no letter is left has its own key.
    """
    folded = unicodedata.normalize("NFKC", _VARIABLE.sub(" ", unicodedata.normalize("NFKC", text))).casefold()
    words = "".join(character for character in folded if unicodedata.category(character)[0] in "LM")
    return hashlib.sha256(words.encode()).hexdigest()[:32] if words else text_id(text)


def in_audit(identity: str, salt: str, share: float) -> bool:
    """Whether a text belongs to the audit share; the result is the same at every ingest."""
    return drawn(identity, salt) < share


def drawn(identity: str, salt: str) -> float:
    """A number from 0 to 1 by a salted hash: uniform over identities, and always the same for one identity.

    Two draws from the same texts need different identities or salts, or both choose the same texts.
    """
    digest = hashlib.sha256(f"{salt}:{identity}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
