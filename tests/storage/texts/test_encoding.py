"""The advice for a file that is not UTF-8 fits the bytes of the file."""

import bz2
import gzip
import lzma
import re
import subprocess
from pathlib import Path

import pytest

from storage.errors import BadInput
from storage.texts.encoding import decoded

POSTS = Path("posts.csv")


@pytest.mark.parametrize(
    ("codec", "name", "text"),
    [
        ("cp1252", "CP1252", "Nokia’s profit rose “sharply” to €5"),
        ("latin-1", "CP1252", "Umsatz in Zürich und café é"),
        ("mac_roman", "MACINTOSH", "Société Générale – bénéfice"),
        ("mac_roman", "MACINTOSH", "They don’t"),
        ("gb18030", "GB18030", "公司今年的利润大幅增长"),
        ("big5", "BIG5", "台積電今年的獲利大幅成長"),
        ("cp932", "CP932", "トヨタ自動車の利益が大きく増えた"),
        ("euc_jp", "EUC-JP", "株価は下落しました"),
        ("cp949", "CP949", "삼성전자의 영업이익이 크게 늘었다"),
        ("cp1251", "CP1251", "Прибыль Газпрома выросла"),
        ("koi8_r", "KOI8-R", "Прибыль Газпрома выросла"),
        ("utf-16", "UTF-16", "Profit rose"),
        ("utf-16-le", "UTF-16LE", "Profit rose"),
        ("utf-16-be", "UTF-16BE", "株価"),
        ("utf-32", "UTF-32", "Profit rose"),
    ],
)
def test_the_encoding_is_named_with_the_command_that_converts_it(codec: str, name: str, text: str) -> None:
    with pytest.raises(BadInput, match=rf"`iconv -f {name} -t UTF-8 posts\.csv > posts-utf8\.csv`"):
        decoded(POSTS, f"text,label\n{text},positive\n".encode(codec))


def test_a_file_of_two_encodings_or_a_cut_one_is_not_converted_whole() -> None:
    with pytest.raises(BadInput, match="rest of the file is UTF-8"):
        decoded(POSTS, "text\nZürich\nKöln\n".encode() + b"M\xfcnchen\n")
    with pytest.raises(BadInput, match="cut off"):
        decoded(POSTS, "text\nZü".encode()[:-1])


def test_byte_order_marks_are_no_content() -> None:
    assert decoded(POSTS, "\ufeff\ufefftext\na\n".encode()) == "text\na\n"


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (
            "posts.csv.gz",
            gzip.compress(b"text\na\n"),
            "packed with gzip.\nUnpack it: `gunzip -c posts.csv.gz > posts.csv`.",
        ),
        ("posts.csv", bz2.compress(b"text\na\n"), "`bunzip2 -c posts.csv > posts-unpacked.csv`"),
        ("my posts.xz", lzma.compress(b"text\na\n"), "`xz -dc 'my posts.xz' > 'my posts.csv'`"),
        ("posts.xlsx", b"PK\x03\x04\x14\x00", "a spreadsheet or a zip archive.\nSave the sheet as CSV"),
        ("posts.xls", b"\xd0\xcf\x11\xe0\xa1\xb1", "older Excel"),
        ("posts.db", b"SQLite format 3\x00", "an SQLite database"),
    ],
)
def test_a_file_that_holds_no_text_is_named_with_the_way_to_its_text(name: str, data: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=re.escape(said)):
        decoded(Path(name), data)


def test_surrogates_in_utf_8_are_joined_by_the_command_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "my posts.csv"
    path.write_bytes("text\nTo the moon \ud83d\ude80 for 5 €\n".encode("utf-8", "surrogatepass"))
    with pytest.raises(BadInput, match="UTF-8 with surrogates") as caught:
        decoded(path, path.read_bytes())
    command = str(caught.value).split("`")[1]
    subprocess.run(command, shell=True, check=True)
    assert (tmp_path / "my posts-utf8.csv").read_text() == "text\nTo the moon 🚀 for 5 €\n"


def test_bytes_that_no_text_has_are_not_called_an_encoding() -> None:
    with pytest.raises(BadInput, match="No usual encoding fits"):
        decoded(POSTS, b"text\n\x07\x93\x02\x00binary\n")
