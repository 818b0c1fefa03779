"""Rules of reading the PhraseBank's files, and of fetching them: against a loopback hub."""

import hashlib
import io
import os
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import BadInput, Refused, Unreachable
from storage.scheme import find_scheme
from storage.text import text_id
from training.data.phrasebank import fetch_phrasebank
from training.data.seed import SeedData, SeedRow, read_seed

SCHEME = find_scheme("sentiment")
INNER = "FinancialPhraseBank-v1.0"
ONE = b"One .@neutral\nIt fell .@negative\n"
"""The least that can be seed data: two rows of two labels."""
ZIP_PATH = f"/datasets/takala/financial_phrasebank/resolve/main/data/{INNER}.zip"


def write(folder: Path, content: bytes, name: str = "Sentences_50Agree.txt") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder


def read_phrasebank(folder: Path, agreement: int) -> SeedData:
    return read_seed(folder, agreement, SCHEME)


def test_sentence_and_label_part_at_the_last_at_sign(tmp_path: Path) -> None:
    read = read_phrasebank(write(tmp_path, b"Write to ir@firm.example .@neutral\nIt fell .@negative\n"), 50)
    assert read.rows == (SeedRow(1, "Write to ir@firm.example .", "neutral"), SeedRow(2, "It fell .", "negative"))


def test_file_is_latin_1_and_only_newlines_part_its_lines(tmp_path: Path) -> None:
    content = "Myynti nousi Äänekoskella .@positive\r\nA\x85B\x0cC fell .@negative\n"
    read = read_phrasebank(write(tmp_path, content.encode("latin-1")), 50)
    assert [(row.line, row.text) for row in read.rows] == [(1, "Myynti nousi Äänekoskella ."), (2, "A B C fell .")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"Sales rose by", "half-written"),
        (b"", "half-written"),
        (b"Sales rose .@posi", "'posi' is none of positive, neutral, negative"),
        (b"Sales rose .@", "'' is none of"),
        (b" @positive", "the text is empty"),
        (b"x" * 100_000 + b"@positive", "100,000 characters"),
        (b"a\x00b@positive", "cannot be stored"),
    ],
)
def test_bad_line_is_named_and_left_out(tmp_path: Path, line: bytes, reason: str) -> None:
    read = read_phrasebank(write(tmp_path, b"One .@neutral\n" + line + b"\nThree .@negative\n"), 50)
    assert [row.line for row in read.rows] == [1, 3]
    assert [bad.line for bad in read.bad_lines] == [2]
    assert reason in read.bad_lines[0].reason


@given(st.lists(st.tuples(st.text("aé@ .", max_size=8), st.sampled_from(["positive", "neutral", "", "x"])), min_size=1))
def test_every_line_is_a_row_or_a_bad_line(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str]]
) -> None:
    content = "First .@neutral\nNext .@negative\n" + "".join(f"{sentence}@{label}\n" for sentence, label in lines)
    read = read_phrasebank(write(tmp_path_factory.mktemp("bank"), content.encode("latin-1")), 50)
    numbers = [row.line for row in read.rows] + [bad.line for bad in read.bad_lines]
    assert sorted(numbers) == list(range(1, len(lines) + 3))


def test_each_agreement_level_has_its_file(tmp_path: Path) -> None:
    for level, name in ((50, "50"), (66, "66"), (75, "75"), (100, "All")):
        write(tmp_path, f"Level {level} .@neutral\nIt fell .@negative\n".encode(), f"Sentences_{name}Agree.txt")
        assert read_phrasebank(tmp_path, level).rows[0].text == f"Level {level} ."
    with pytest.raises(BadInput, match="no agreement level 60"):
        read_phrasebank(tmp_path, 60)


def test_the_zips_inner_folder_and_its_parent_read_alike(tmp_path: Path) -> None:
    inner = write(tmp_path / INNER, ONE)
    assert read_phrasebank(tmp_path, 50) == read_phrasebank(inner, 50)
    assert read_phrasebank(inner, 50).sha256 == hashlib.sha256(ONE).hexdigest()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no Sentences_50Agree\.txt"):
        read_phrasebank(tmp_path / "nowhere", 50)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_file_in_another_encoding_stops_the_reading(tmp_path: Path, encoding: str) -> None:
    with pytest.raises(BadInput, match=r"latin-1"):
        read_phrasebank(write(tmp_path, "Myynti nousi Äänekoskella .@positive\n".encode(encoding)), 50)


def test_groups_come_from_the_file_beside_the_sentences(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    assert read_phrasebank(tmp_path, 50).groups == {}
    (tmp_path / "clusters.csv").write_text(f"text_id,cluster\n{text_id('One .')},g1\n")
    assert read_phrasebank(tmp_path, 50).groups == {text_id("One ."): "g1"}
    (tmp_path / "clusters.csv").write_text("id,group\n")
    with pytest.raises(BadInput, match="text_id,cluster"):
        read_phrasebank(tmp_path, 50)


def test_real_files_are_read_whole() -> None:
    folder = os.environ.get("FINLOOP_TEST_PHRASEBANK")
    if not folder:
        pytest.skip("FINLOOP_TEST_PHRASEBANK is not set: no real PhraseBank to read")
    for level, rows in ((50, 4846), (66, 4217), (75, 3453), (100, 2264)):
        read = read_phrasebank(Path(folder), level)
        assert (len(read.rows), read.bad_lines, read.groups) == (rows, (), {})


class Hub(ThreadingHTTPServer):
    """A hub that has one file; it can break off answers half-way, lie about the sum, or have nothing."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), HubRequest)
        self.content, self.etag, self.breaks, self.requests = content, hashlib.sha256(content).hexdigest(), 0, [""]
        self.address = f"http://127.0.0.1:{self.server_address[1]}"


class HubRequest(BaseHTTPRequestHandler):
    """Answers HEAD and GET, with Range, as the hub does for a file of a dataset repository."""

    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        start = int(match[1]) if (match := re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))) else 0
        self.server.requests.append(f"{self.command} {start}")
        if self.path != ZIP_PATH or not self.server.content:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(self.server.content) - 1}/{len(self.server.content)}"
            )
        self.send_header("ETag", f'"{self.server.etag}"')
        self.send_header("X-Repo-Commit", "0123456789" * 4)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body and self.server.breaks:
            self.server.breaks -= 1
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output quiet."""


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


MEMBERS = {f"{INNER}/Sentences_{name}Agree.txt": ONE for name in ("50", "66", "75", "All")}


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub(zipped({**MEMBERS, f"{INNER}/License.txt": b"CC", f"__MACOSX/{INNER}/._License.txt": b"junk"}))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_fetched_phrasebank_is_read_and_needs_no_hub_afterwards(hub: Hub, tmp_path: Path) -> None:
    folder = fetch_phrasebank(tmp_path, hub.address)
    assert [row.text for row in read_phrasebank(folder, 50).rows] == ["One .", "It fell ."]
    assert sorted(path.name for path in folder.iterdir() if path.suffix) == sorted(
        ["License.txt", *(name.partition("/")[2] for name in MEMBERS)]
    )
    assert hub.etag in (folder / "SHA256SUMS").read_text()
    hub.requests.clear()
    assert fetch_phrasebank(tmp_path, hub.address) == folder
    assert hub.requests == []


def test_download_that_breaks_off_is_tried_again(hub: Hub, tmp_path: Path) -> None:
    hub.breaks = 1
    assert read_phrasebank(fetch_phrasebank(tmp_path, hub.address), 50).rows
    assert len([request for request in hub.requests if request.startswith("GET")]) == 2


def test_changed_file_is_put_right_at_the_next_fetch(hub: Hub, tmp_path: Path) -> None:
    folder = fetch_phrasebank(tmp_path, hub.address)
    (folder / "Sentences_50Agree.txt").write_bytes(b"Changed .@neutral\n")
    assert read_phrasebank(fetch_phrasebank(tmp_path, hub.address), 50).rows[0].text == "One ."


def test_zip_with_another_sum_than_the_hub_says_is_not_used(hub: Hub, tmp_path: Path) -> None:
    hub.etag = "0" * 64
    with pytest.raises(BadInput, match="sum"):
        fetch_phrasebank(tmp_path, hub.address)
    assert not (tmp_path / INNER).exists()


def test_member_with_a_path_of_its_own_is_never_written(hub: Hub, tmp_path: Path) -> None:
    evil = {"../../Sentences_50Agree.txt": b"Evil .@neutral\n", f"{INNER}/../../README.txt": b"Evil"}
    hub.content = zipped({**evil, **MEMBERS})
    hub.etag = hashlib.sha256(hub.content).hexdigest()
    folder = fetch_phrasebank(tmp_path / "a" / "b", hub.address)
    assert read_phrasebank(folder, 50).rows[0].text == "One ."
    assert [path for path in tmp_path.rglob("*.txt") if path.parent != folder] == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not a zip at all", "not a whole zip"),
        (zipped(dict(list(MEMBERS.items())[1:])), "lacks Sentences_50Agree.txt"),
        (zipped({**MEMBERS, f"{INNER}/Sentences_50Agree.txt": b"x" * 20_000_001}), "that is not it"),
    ],
)
def test_zip_that_is_not_the_phrasebank_leaves_nothing(hub: Hub, tmp_path: Path, content: bytes, reason: str) -> None:
    hub.content, hub.etag = content, hashlib.sha256(content).hexdigest()
    with pytest.raises(BadInput, match=reason):
        fetch_phrasebank(tmp_path, hub.address)
    assert not (tmp_path / INNER).exists()


def test_hub_without_the_file_is_a_refusal(hub: Hub, tmp_path: Path) -> None:
    hub.content = b""
    with pytest.raises(Refused, match="the hub at"):
        fetch_phrasebank(tmp_path, hub.address)


def test_no_hub_at_the_address_is_said_within_ten_seconds(hub: Hub, tmp_path: Path) -> None:
    hub.server_close()
    started = time.perf_counter()
    with pytest.raises(Unreachable, match="no Hugging Face hub answers"):
        fetch_phrasebank(tmp_path, hub.address)
    assert time.perf_counter() - started < 10


def test_damaged_files_are_made_good_from_the_zip_that_is_here_without_a_hub(hub: Hub, tmp_path: Path) -> None:
    folder = fetch_phrasebank(tmp_path, hub.address)
    whole = (folder / "Sentences_50Agree.txt").read_bytes()
    (folder / "Sentences_50Agree.txt").write_bytes(whole[:-1])
    nobody = "http://127.0.0.1:9"  # another address: an open connection to the hub would outlive its port
    assert (fetch_phrasebank(tmp_path, nobody) / "Sentences_50Agree.txt").read_bytes() == whole
