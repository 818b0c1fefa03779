"""Texts go in whole and once; a file or store that cannot be used leaves nothing behind."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.demo.annotator import AnswerKey
from flows.steps.ingest import CHUNK, Ingested, ingest
from flows.wiring.parts import Parts
from storage.errors import BadInput, Unreachable
from storage.text import cluster_key, in_audit, text_id
from storage.texts.csv import read_texts
from tests.deployments.serving.models import free_port
from tests.schemes import SENTIMENT


def ingested(parts: Parts, path: Path, progress: Callable[[float], None] = lambda fraction: None) -> Ingested:
    """As the command and the demo do it."""
    reading, keep = read_texts(path, parts.scheme), AnswerKey(parts.settings.home, parts.scheme).add
    return ingest(reading, path.stem, parts.texts, parts.intake, keep, progress)


def a_file(folder: Path, content: str | bytes) -> Path:
    path = folder / "posts.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_texts_are_stored_with_their_source_and_the_audit_is_drawn_by_hash(parts: Parts, tmp_path: Path) -> None:
    lines = [f"Shares of company {number} rose" for number in range(60)]
    done = ingested(parts, a_file(tmp_path, "text\n" + "\n".join(lines) + "\n"))
    stored = parts.texts.get([text_id(line) for line in lines])
    settings = parts.settings
    assert (done.new, done.known, len(stored)) == (60, 0, 60)
    for text in stored.values():
        assert text.source == "posts"
        assert text.audit == in_audit(cluster_key(text.text), settings.audit_salt, settings.audit_share)
    assert done.audit == sum(text.audit for text in stored.values()) == parts.texts.counts().audit


def test_the_same_file_again_changes_nothing(parts: Parts, tmp_path: Path) -> None:
    path = a_file(tmp_path, "text,label\nProfit rose,positive\nProfit fell,negative\n")
    first = ingested(parts, path)
    again = ingested(parts, path)
    assert (first.new, again.new, again.known) == (2, 0, 2)
    assert parts.texts.counts().texts == 2


def test_a_text_that_stands_twice_in_a_file_is_one(parts: Parts, tmp_path: Path) -> None:
    assert ingested(parts, a_file(tmp_path, "text\nProfit rose\nProfit   rose\n")).new == 1


def test_labels_go_to_the_answer_key_and_nowhere_else(parts: Parts, tmp_path: Path) -> None:
    done = ingested(parts, a_file(tmp_path, "text,label\nProfit rose,positive\nProfit fell,\n"))
    assert done.labelled == 1
    assert AnswerKey(parts.settings.home, SENTIMENT).read() == {text_id("Profit rose"): "positive"}
    assert parts.labels.trainable() == parts.labels.audit() == []
    (text,) = parts.texts.get([text_id("Profit rose")]).values()
    assert text.prediction is None


def test_a_line_that_cannot_be_used_is_named_and_left_out(parts: Parts, tmp_path: Path) -> None:
    content = (
        f"text,label\nProfit rose,positive\n,neutral\nProfit fell,awful\n{'x' * 100_000},neutral\nIt met,neutral\n"
    )
    done = ingested(parts, a_file(tmp_path, content))
    assert done.new == 2
    assert [bad.line for bad in done.bad_lines] == [3, 4, 5]
    assert "awful" in done.bad_lines[1].reason


@pytest.mark.parametrize(
    "content",
    ["headline\nProfit rose\n", b"text\nProfit \xff rose\n", "", "text\n", 'text\n"Profit rose\n', "text\n\n,\n"],
)
def test_a_file_that_cannot_be_used_leaves_nothing_written(parts: Parts, tmp_path: Path, content: str | bytes) -> None:
    before = set(parts.settings.home.iterdir())
    with pytest.raises(BadInput, match=r"posts\.csv"):
        ingested(parts, a_file(tmp_path, content))
    assert set(parts.settings.home.iterdir()) == before


def test_a_store_that_is_not_there_leaves_no_answer_key(parts: Parts, tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    away = Parts(parts.settings.model_copy(update={"elasticsearch_url": nowhere}))
    with pytest.raises(Unreachable, match="no Elasticsearch answers"):
        ingested(away, a_file(tmp_path, "text,label\nProfit rose,positive\n"))
    assert AnswerKey(parts.settings.home, SENTIMENT).read() == {}


def test_progress_ends_at_one(parts: Parts, tmp_path: Path) -> None:
    told: list[float] = []
    content = "text\n" + "".join(f"company {number}\n" for number in range(CHUNK + 1))
    ingested(parts, a_file(tmp_path, content), told.append)
    assert len(told) == 2 and told == sorted(told) and told[-1] == 1.0
