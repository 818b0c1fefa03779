"""What a reader noticed in texts that it took: said once for a file, with the number and the first line."""

import html
import re
from collections import Counter
from enum import StrEnum

from storage.text import control_characters

_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_BYTES = {chr(byte): byte for byte in range(0x80, 0x100)} | {
    bytes([byte]).decode("cp1252", errors="replace"): byte for byte in range(0x80, 0xA0)
}
"""The byte of each character that latin1 or Windows-1252 makes of one."""


class Finding(StrEnum):
    """What texts do: `texts that hold ...: 3`."""

    ENTITIES = "hold HTML entities such as &amp; (--unescape reads them as the characters that they stand for)"
    TWICE = "were UTF-8 that was read as latin1, such as Ã¼ for ü (take the file before that conversion)"
    CONTROLS = (
        "hold control characters, as a Windows file has after `iconv -f latin1` "
        "(if that was done, convert the original again with `iconv -f CP1252 -t UTF-8`)"
    )
    LOST = "hold U+FFFD, a character that was lost in an earlier conversion"
    LINES = "go over several lines of the file (if these are rows, a quote is missing or too many)"
    NO_ZONE = "have a published_at without a time zone, taken as UTC"
    NO_TIME = "have a published_at that is no time in ISO 8601, such as 2024-03-31T09:30:00+02:00 (it is left empty)"
    SOURCE = "have a source of more than 100 characters, of which the first 100 are kept"


class Findings:
    """Counts each finding and keeps its first line."""

    def __init__(self) -> None:
        self._counts: Counter[Finding] = Counter()
        self._first: dict[Finding, int] = {}

    def add(self, finding: Finding, line: int) -> None:
        """Count one text."""
        self._counts[finding] += 1
        self._first.setdefault(finding, line)

    def look(self, text: str, line: int) -> None:
        """Count what is noticeable in a text as it came."""
        if has_entities(text):
            self.add(Finding.ENTITIES, line)
        if text.isascii() and not control_characters(text):
            return
        if _read_twice(text):
            self.add(Finding.TWICE, line)
        elif control_characters(text):
            self.add(Finding.CONTROLS, line)
        if "\ufffd" in text:
            self.add(Finding.LOST, line)

    def said(self) -> tuple[str, ...]:
        """A sentence for each finding, in the order of the enumeration."""
        return tuple(
            f"texts that {each}: {self._counts[each]:,}, the first in line {self._first[each]}"
            for each in Finding
            if self._counts[each]
        )


def has_entities(text: str) -> bool:
    """Whether a text holds an HTML entity that stands for something."""
    return "&" in text and unescaped(text) != text


def unescaped(text: str) -> str:
    """The text with the HTML entities that end in a semicolon as characters: html.unescape makes ¬ify of &notify."""
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text)


def _read_twice(text: str) -> bool:
    """Whether all characters beyond ASCII are bytes of UTF-8 that somebody read as latin1 or Windows-1252."""
    runs = _BEYOND_ASCII.findall(text)
    for run in runs:
        try:
            bytes(_BYTES[character] for character in run).decode("utf-8")
        except (KeyError, UnicodeDecodeError):
            return False
    return bool(runs)
