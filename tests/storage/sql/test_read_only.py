import os
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, make_url

from storage.errors import BadInput, FinloopError, Full, Locked, Part, Unreachable
from storage.labels.inbox import Inbox
from storage.sql.database import migrate, open_database
from storage.sql.files import file_of, sqlite_url
from storage.sql.read_only import open_to_read
from tests.disk import contents, read_only

ODD = ["a?b", "x#y", "100%25", "a b", 'd\'or "q"', "ünï 文", "-dash", "a&b=c", "file:x"]


@pytest.fixture
def home(tmp_path: Path, migrated_sqlite: Path) -> Path:
    """A home whose inbox holds one webhook."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copyfile(migrated_sqlite, folder / "finloop.db")
    engine = open_database(sqlite_url(folder / "finloop.db"), embedded=True)
    Inbox(engine).put("ONE", {})
    engine.dispose()
    return folder


def counted(engine: Engine) -> dict[str, int]:
    try:
        return Inbox(engine).counts()
    finally:
        engine.dispose()


@pytest.mark.parametrize("name", ODD)
def test_a_folder_of_any_name_holds_its_own_database(tmp_path: Path, migrated_sqlite: Path, name: str) -> None:
    path = tmp_path / name / "finloop.db"
    path.parent.mkdir()
    shutil.copyfile(migrated_sqlite, path)
    engine = open_database(sqlite_url(path), embedded=True)
    Inbox(engine).put("ONE", {})
    engine.dispose()
    assert file_of(make_url(sqlite_url(path))) == path
    assert counted(open_to_read(sqlite_url(path), embedded=True)) == {"new": 1}
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert [one.name for one in path.parent.iterdir()] == ["finloop.db"]


def test_a_reader_writes_nothing_and_makes_no_home(tmp_path: Path, home: Path) -> None:
    before = contents(home)
    assert counted(open_to_read(sqlite_url(home / "finloop.db"), embedded=True)) == {"new": 1}
    assert contents(home) == before
    assert counted(open_to_read(sqlite_url(tmp_path / "none" / "finloop.db"), embedded=True)) == {}
    assert not (tmp_path / "none").exists()


def test_a_reader_cannot_write(home: Path) -> None:
    engine = open_to_read(sqlite_url(home / "finloop.db"), embedded=True)
    with pytest.raises(Unreachable, match="attempt to write a readonly database"):
        Inbox(engine).put("TWO", {})
    engine.dispose()


def test_a_home_that_cannot_be_written_to_is_read(home: Path) -> None:
    with read_only(home) as locked:
        assert counted(open_to_read(sqlite_url(locked / "finloop.db"), embedded=True)) == {"new": 1}


def test_rows_that_still_lie_in_the_log_are_read_too(home: Path) -> None:
    """As after a crash, or in a copy of a home that was up: with the log's index beside the log, and without."""
    with closing(sqlite3.connect(home / "finloop.db")) as busy:
        busy.execute("PRAGMA wal_autocheckpoint=0")
        busy.execute("UPDATE inbox SET state = 'failed'")
        busy.commit()
        assert (home / "finloop.db-wal").stat().st_size
        for index in ("kept", "lost"):
            shutil.copytree(home, home.with_name(index))
        (home.with_name("lost") / "finloop.db-shm").unlink()
    for index in ("kept", "lost"):
        with read_only(home.with_name(index)) as locked:
            assert counted(open_to_read(sqlite_url(locked / "finloop.db"), embedded=True)) == {"failed": 1}


def test_an_older_home_is_migrated_or_read_from_a_migrated_copy(tmp_path: Path) -> None:
    for name in ("writable", "locked"):
        engine = open_database(sqlite_url(tmp_path / name / "finloop.db"))
        migrate(engine, "0003")
        engine.dispose()
    assert counted(open_to_read(sqlite_url(tmp_path / "writable" / "finloop.db"))) == {}
    with read_only(tmp_path / "locked") as locked:
        assert counted(open_to_read(sqlite_url(locked / "finloop.db"), embedded=True)) == {}


def test_a_full_disk_is_named_and_what_was_committed_stays(home: Path) -> None:
    engine = open_database(sqlite_url(home / "finloop.db"), embedded=True)

    @event.listens_for(engine, "connect")
    def small(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count=1")  # as many as there are now

    with pytest.raises(Full, match=rf"the disk of {home}/finloop\.db is full: ") as caught:
        for _ in range(2):
            Inbox(engine).put("BIG", {"text": "x" * 1_000_000})
    assert caught.value.part is Part.EMBEDDED_DATABASE
    assert counted(engine) == {"new": 1}


def test_a_writer_that_waits_for_another_process_in_vain_says_so(home: Path) -> None:
    engine = open_database(sqlite_url(home / "finloop.db"), embedded=True)

    @event.listens_for(engine, "connect")
    def impatient(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=10")

    with closing(sqlite3.connect(home / "finloop.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked, match=r"finloop\.db is locked by another process"):
            Inbox(engine).put("TWO", {})
        read: list[dict[str, int]] = []
        reader = threading.Thread(
            target=lambda: read.append(counted(open_to_read(sqlite_url(home / "finloop.db"), embedded=True)))
        )
        reader.start()
        reader.join(10)
    assert read == [{"new": 1}], "a reader waits for no writer"
    engine.dispose()


@pytest.mark.parametrize("opened", [open_database, open_to_read])
@pytest.mark.parametrize("state", ["empty", "folder", "rubbish", "cut", "foreign", "newer", "home is a file"])
def test_a_file_that_is_no_sound_database_is_named(home: Path, state: str, opened: object) -> None:
    path = home / "finloop.db"
    match state:
        case "empty":
            path.write_bytes(b"")
            os.utime(path, (0, 0))
        case "folder":
            path.unlink()
            path.mkdir()
        case "rubbish":
            path.write_bytes(os.urandom(5000))
        case "cut":
            path.write_bytes(path.read_bytes()[:6000])
        case "foreign" | "newer":
            with closing(sqlite3.connect(path)) as database:
                if state == "foreign":
                    database.execute("DROP TABLE alembic_version")
                else:
                    database.execute("UPDATE alembic_version SET version_num = '9999'")
                database.commit()
        case "home is a file":
            shutil.rmtree(home)
            home.write_text("mine")
    with pytest.raises((BadInput, Unreachable)) as caught:
        if opened is open_database:
            migrate(open_database(sqlite_url(path), embedded=True))
        else:
            open_to_read(sqlite_url(path), embedded=True)
    assert isinstance(caught.value, FinloopError) and caught.value.part is Part.EMBEDDED_DATABASE
    assert str(path) in str(caught.value)


def test_a_file_that_was_just_made_is_not_yet_called_empty(tmp_path: Path) -> None:
    (tmp_path / "finloop.db").touch()
    assert counted(open_to_read(sqlite_url(tmp_path / "finloop.db"), embedded=True)) == {}
