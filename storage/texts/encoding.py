"""Decodes a user's file as UTF-8, and tells what the file is where it is not.

The advice must fit the bytes at hand. The trap: `iconv -f latin1` converts every file without an error, and makes
invisible control characters of the quotes and dashes of Windows, or of every second byte of UTF-16.
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from storage.errors import BadInput

_BYTE_ORDER_MARKS = (  # UTF-32 first: its mark starts with that of UTF-16
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_EAST_ASIAN = (("euc_jp", "EUC-JP"), ("cp932", "CP932"), ("cp949", "CP949"), ("gb18030", "GB18030"), ("big5", "BIG5"))
_CYRILLIC = (("cp1251", "CP1251"), ("koi8_r", "KOI8-R"))
_WESTERN = (("cp1252", "CP1252"), ("mac_roman", "MACINTOSH"))
"""Python's name and iconv's name. The first of two that fit alike is named."""

_READ_AS_LATIN1 = {"ÿþ": "UTF-16LE", "þÿ": "UTF-16BE", "ï»¿": "UTF-8"}
"""How a byte-order mark reads where somebody converted the file as if it were latin1."""

_NO_TEXT = (
    (b"\x1f\x8b", "packed with gzip", "Unpack it: `gunzip -c {file} > {new}`."),
    (b"BZh", "packed with bzip2", "Unpack it: `bunzip2 -c {file} > {new}`."),
    (b"\xfd7zXZ", "packed with xz", "Unpack it: `xz -dc {file} > {new}`."),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", "Unpack it: `zstd -dc {file} > {new}`."),
    (b"PK\x03\x04", "a spreadsheet or a zip archive", "Save the sheet as CSV (UTF-8), or unpack the archive."),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet of an older Excel", "Save the sheet as CSV (UTF-8)."),
    (b"PAR1", "a Parquet file", "Convert it: `duckdb -c \"COPY '{file}' TO '{new}'\"`, or with pandas."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV."),
    (b"%PDF", "a PDF", "Give a CSV of its texts."),
)
"""First bytes, what they say, and the cure."""

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text has in any encoding whose letters are ASCII's."""

_JOIN_SURROGATES = (
    "import sys; text = sys.stdin.buffer.read().decode('utf-8', 'surrogatepass'); "
    "sys.stdout.buffer.write(text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace').encode())"
)

_SAMPLE = 100_000
_HIGH = re.compile(rb"[\x80-\xff]+")
_SHOWN = 60


def decoded(path: Path, data: bytes) -> str:
    """The content as text without leading byte-order marks. Raises BadInput that names the encoding and its cure."""
    if said := _no_text(path, data):
        raise BadInput(f"{path} is no CSV file but {said}")
    if wide := _wide(data):
        raise BadInput(
            f"{path} is not UTF-8 but {wide}: line 1 starts with the bytes {data[:4].hex(' ')}.\n{_cure(path, wide)}"
        )
    try:
        content = data.decode("utf-8").lstrip("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        place = f"line {line} holds the byte 0x{data[error.start]:02x} (at offset {error.start})"
        raise BadInput(f"{path} is not UTF-8: {place}.\n{_advice(path, data, error)}") from error
    for mark, name in _READ_AS_LATIN1.items():
        if content.startswith(mark):
            raise BadInput(
                f"{path} was {name} and was converted to UTF-8 as if it were latin1: line 1 starts with {mark!r}.\n"
                + ("Take the original." if name == "UTF-8" else f"Convert the original: `iconv -f {name} -t UTF-8`.")
            )
    return content


def _no_text(path: Path, data: bytes) -> str | None:
    """What a file is that holds no text at all, with the cure."""
    stem = path.stem if path.suffix.lower() != ".csv" else f"{path.stem}-unpacked"
    new = path.with_name(stem if stem.endswith(".csv") else f"{stem}.csv")
    for begin, what, cure in _NO_TEXT:
        if data.startswith(begin):
            return f"{what}.\n{cure.format(file=shlex.quote(str(path)), new=shlex.quote(str(new)))}"
    return None


def _wide(data: bytes) -> str | None:
    """UTF-16 or UTF-32, by the mark or, as JSON does, by the NULs around the first letter of the header."""
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    zeros = [byte == 0 for byte in data[:4]]
    return {
        (False, True, True, True): "UTF-32LE",
        (True, True, True, False): "UTF-32BE",
        (False, True, False, True): "UTF-16LE",
        (True, False, True, False): "UTF-16BE",
    }.get(tuple(zeros))  # type: ignore[arg-type]


def _advice(path: Path, data: bytes, error: UnicodeDecodeError) -> str:
    if error.end == len(data) and "unexpected end" in error.reason:
        return "The file ends in the middle of a character: it was cut off. Copy it again."
    if _has_surrogates(data):
        converted = shlex.quote(str(_converted(path)))
        return (
            "It is UTF-8 with surrogates, as some Java programs and databases write emoji.\n"
            f'Join them: `python3 -c "{_JOIN_SURROGATES}" < {shlex.quote(str(path))} > {converted}`.'
        )
    read = data.decode("utf-8", errors="replace")
    wrong = read.count("\ufffd")
    if sum(not character.isascii() for character in read) - wrong > wrong:
        return (
            f"The rest of the file is UTF-8, {wrong:,} such places are not. Correct these lines: a conversion of the "
            "whole file would damage the others."
        )
    begin = data.rfind(b"\n", 0, error.start) + 1
    guess = _guess(data[begin : begin + _SAMPLE])
    if guess is None:
        return "No usual encoding fits: save the file as UTF-8 in the program that wrote it."
    codec, name = guess
    end = data.find(b"\n", error.start)
    reads = data[begin : end if end >= 0 else len(data)].decode(codec, errors="replace").strip()
    at = max(0, len(data[begin : error.start].decode(codec, errors="replace")) - _SHOWN // 2)
    return (
        f"As {name} the place reads {reads[at : at + _SHOWN]!r}. If that is right: {_cure(path, name)}\n"
        "Else save the file as UTF-8 in the program that wrote it."
    )


def _has_surrogates(data: bytes) -> bool:
    try:
        data.decode("utf-8", errors="surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _converted(path: Path) -> Path:
    return path.with_name(f"{path.stem}-utf8{path.suffix}")


def _cure(path: Path, name: str) -> str:
    converted = _converted(path)
    return f"Convert it: `iconv -f {name} -t UTF-8 {shlex.quote(str(path))} > {shlex.quote(str(converted))}`."


def _guess(data: bytes) -> tuple[str, str] | None:
    """The encoding that makes the most sense of a sample; None where none can read it."""
    if _CONTROL.search(data):
        return None
    runs = _HIGH.findall(data)
    length = sum(map(len, runs)) / max(1, len(runs))
    if length >= 2:  # whole words of such bytes: no Western text
        fits = [(_east_asian(codec, data), codec, name) for codec, name in _EAST_ASIAN]
        fits += [(_score(codec, data, _cyrillic), codec, name) for codec, name in _CYRILLIC]
        best = max(fits, key=lambda fit: fit[0])
        if best[0] > 0.7:
            return best[1:]
    western = [(_score(codec, data, _western), codec, name) for codec, name in _WESTERN]
    best = max(western, key=lambda fit: fit[0])
    return best[1:] if best[0] > float("-inf") else None


def _read(codec: str, data: bytes) -> str | None:
    for cut in range(3):  # the sample may end within a character
        try:
            return data[: len(data) - cut].decode(codec)
        except UnicodeDecodeError:
            continue
    return None


def _score(codec: str, data: bytes, of: Callable[[str, int], float]) -> float:
    """The mean of `of` over the characters outside ASCII; minus infinity where the bytes cannot be read."""
    text = _read(codec, data)
    if text is None:
        return float("-inf")
    places = [place for place, character in enumerate(text) if not character.isascii()]
    return sum(of(text, place) for place in places) / max(1, len(places))


def _east_asian(codec: str, data: bytes) -> float:
    """The share of frequent characters: kana for Japanese, Hangul for Korean, the common Hanzi for Chinese."""
    text = _read(codec, data)
    if text is None:
        return 0.0
    wide = [character for character in text if not character.isascii() and character.isalpha()]
    kana = sum("\u3040" <= character <= "\u30ff" for character in wide) / max(1, len(wide))
    if codec in ("euc_jp", "cp932"):
        return min(1.0, 4 * kana)
    if codec == "cp949":
        return sum("\uac00" <= character <= "\ud7a3" for character in wide) / max(1, len(wide))
    legacy, first, last = ("gb2312", 0xB0, 0xD7) if codec == "gb18030" else ("big5", 0xA4, 0xC6)
    leads = [character.encode(legacy, errors="replace")[0] for character in wide]
    return sum(first <= lead <= last for lead in leads) / max(1, len(wide)) - kana


def _cyrillic(text: str, place: int) -> float:
    """Letters are mostly lower-case; the two encodings swap the cases."""
    character = text[place]
    if not "\u0400" <= character <= "\u04ff":
        return 0.5 if not character.isalpha() else -1.0
    return 1.0 if character.islower() or not text[place - 1].isalpha() else 0.0


def _western(text: str, place: int) -> float:
    """A letter fits where its case fits its neighbours, a quote or dash where prose has one."""
    character, before, after = text[place], text[place - 1 : place], text[place + 1 : place + 2]
    if character.isalpha():
        if character.isupper():
            return -1.0 if before.islower() or after.isdigit() else float(after.isalpha())
        return float(before.isalpha() or after.isalpha())
    if character in "‘’“”–—…€£•«»·°§©®™½¼¾²³´":
        return 1.0
    return 0.0 if character.isprintable() or character.isspace() else -2.0
