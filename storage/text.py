"""A text as it came, and its identity.

The text that is stored, shown, trained on and scored keeps every character: only white space is folded, and equal
spellings of one character become one (NFC). The id is a hash of a form in which some other characters are folded too,
so that the same news from two feeds is one text for ever. That form never changes what a text says.
"""

import hashlib
import re
import unicodedata
from functools import lru_cache

from storage.errors import BadInput

MAX_CHARACTERS = 20_000
"""Longer than any news item that a person labels; a 100,000-character text is a mistake in the feed."""

_LONGEST_SPELLING = 4
"""The most characters that NFC makes one of; a text that is longer by this factor is too long in any form."""

_RAISED_MARKS = frozenset("ªº™℠")
"""Raised characters that are signs of their own, never an exponent, an index or a footnote."""

_STYLES = frozenset({"<font>", "<noBreak>", "<wide>", "<narrow>", "<small>", "<vertical>"})
"""Foldings of the width, weight or place of one and the same character: a full-width 5 is a 5."""

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that no font shows, although their category says letter, mark or symbol."""

_IGNORABLE = ((0x180B, 0x180F), (0x2060, 0x206F), (0xFE00, 0xFE0F), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF))
"""Ranges of variation selectors, tags and other characters without a shape."""


def as_stored(text: str) -> str:
    """The text as it came, in NFC, with every run of white space as one space and none at the ends.

    White space includes line ends, tabs and no-break spaces. Every other character stays, control characters too: only
    a person can say what a damaged character was.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def text_id(text: str) -> str:
    """32 hexadecimal digits of the SHA-256 of the identity form."""
    return hashlib.sha256(identity_form(text).encode()).hexdigest()[:32]


def identity_form(text: str) -> str:
    """The form that is the same for two spellings of one text: NFKC, except where NFKC would change what is said.

    Superscripts, subscripts, fractions, and circled, squared or bracketed numbers stay as they are (10² is not 102).
    A text without them has the same form, and so the same id, as under NFKC, which finloop 0.1 used.
    """
    folded = unicodedata.normalize("NFKC", text)
    if folded != unicodedata.normalize("NFC", text):
        # Of a text in NFD no character hides in another, so each can be folded, or kept, by itself.
        each = (_folded(character) for character in unicodedata.normalize("NFD", text))
        folded = unicodedata.normalize("NFC", "".join(each))
    return " ".join(folded.split())


def former_id(text: str) -> str:
    """The id that finloop 0.1 gave the text, when 10² and 102 were one: splits of old datasets are found by it."""
    form = " ".join(unicodedata.normalize("NFKC", text).split())
    return hashlib.sha256(form.encode()).hexdigest()[:32]


def checked(text: str) -> str:
    """The text as it is stored.

    Raises BadInput for a text that is empty, that shows nothing, that holds a NUL or lone surrogate, or that has more
    than MAX_CHARACTERS.
    """
    clean = " ".join(text.split())
    if len(clean) <= MAX_CHARACTERS * _LONGEST_SPELLING:  # a whole book is not worth its NFC
        clean = as_stored(clean)
    if not clean:
        raise BadInput("the text is empty")
    if len(clean) > MAX_CHARACTERS:
        raise BadInput(f"the text has {len(clean):,} characters, more than {MAX_CHARACTERS:,}")
    if "\x00" in clean or any("\ud800" <= character <= "\udfff" for character in clean):
        raise BadInput("the text holds a character that cannot be stored (NUL or a lone surrogate)")
    if all(map(_invisible, clean)):
        raise BadInput("the text is empty: it holds nothing but invisible characters")
    return clean


def control_characters(text: str) -> list[str]:
    """The control characters in a text that are no white space; C1's NEL counts, which no text of today holds."""
    return [one for one in text if unicodedata.category(one) == "Cc" and (one == "\x85" or not one.isspace())]


LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
LINKS_AND_TAGS = re.compile(rf"{LINK.pattern}|[$@]\w+(?:[.:_-]\w+)*", re.IGNORECASE)
"""Links, cashtags and mentions: the same news is repeated with others."""


def cluster_key(text: str) -> str:
    """The hash of a text without links, cashtags, mentions, numbers, punctuation, case and whitespace.

    Copies of one news that differ in these have one key. A text of which no letter is left has its own key.
    """
    folded = unicodedata.normalize("NFKC", LINKS_AND_TAGS.sub(" ", unicodedata.normalize("NFKC", text))).casefold()
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


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    """The compatible form of a character, or the character itself where that form could say something else."""
    tag, *parts = unicodedata.decomposition(character).split() or [""]
    form = unicodedata.normalize("NFKD", character)
    if tag in _STYLES:
        return form
    if tag in ("<super>", "<sub>"):  # m², CO₂, 2ⁿ, a footnote¹
        return form if character in _RAISED_MARKS else character
    if tag == "<fraction>":  # 10½ is not 101⁄2
        return character
    if tag == "<compat>" and len(parts) == 1:  # another shape of one character, such as a radical or a long s
        return form
    # What is left are several characters in one, or one in a circle or square: ligatures, letters and units such as ㎏
    # fold. Numbers do not (⑴, ⒈, ㋀, ㎡): their digits would run into those beside them.
    return character if any(part.isnumeric() for part in form) else form


def _invisible(character: str) -> bool:
    if character in _BLANK or unicodedata.category(character) in ("Cf", "Cc", "Zs", "Zl", "Zp"):
        return True
    return any(first <= ord(character) <= last for first, last in _IGNORABLE)
