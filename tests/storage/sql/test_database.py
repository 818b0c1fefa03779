import shutil
import socket
import sqlite3
import time
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, inspect, make_url, text

from storage.datasets.parents import annotators
from storage.datasets.versions import Datasets
from storage.errors import BadInput, Part, TurnedAway, Unreachable
from storage.labels.inbox import Inbox
from storage.records import DatasetVersion, Parent, ParentKind
from storage.sql import database
from storage.sql.database import migrate, open_database, reading, snapshot
from storage.sql.schema import Base
from tests.storage.conftest import NOON
from tests.storage.processes import at_once


def test_sqlite_survives_a_power_cut_and_readers_do_not_wait(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/finloop.db")
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2, "2 is FULL"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
        assert connection.scalar(text("PRAGMA busy_timeout")) == 30_000
    engine.dispose()


def test_a_reader_sees_the_last_commit_while_a_writer_is_busy(engine: Engine) -> None:
    inbox = Inbox(engine)
    inbox.put("ONE", {})
    with engine.begin() as writer:
        writer.execute(text("DELETE FROM inbox"))
        begun = time.monotonic()
        assert inbox.counts() == {"new": 1}
        assert time.monotonic() - begun < 1.0
    assert inbox.counts() == {}


def test_reads_of_one_snapshot_agree(engine: Engine) -> None:
    inbox = Inbox(engine)
    with snapshot(engine).connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM inbox")) == 0
        inbox.put("ONE", {})
        assert connection.scalar(text("SELECT count(*) FROM inbox")) == 0
    with reading(engine).connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM inbox")) == 1


MIGRATE = """
import sys
from alembic import command
from storage.sql.database import migrate, open_database
engine = open_database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
migrate(engine)
"""


def test_a_database_of_the_first_schema_keeps_its_datasets(empty_url: str) -> None:
    engine = open_database(empty_url)
    migrate(engine, "0001")
    columns = "version, created_at, phrasebank_sha256, phrasebank_source, agreement, label_watermark, policy"
    with engine.begin() as connection:
        values = "'v', '2026-03-01 12:00:00+00:00', 's', 'sample', 50, 7, 'p'"
        connection.execute(text(f"INSERT INTO dataset ({columns}) VALUES ({values})"))
    migrate(engine)
    found = Datasets(engine).load("v")
    assert (found.label_watermark, found.dropped) == (7, {})
    seed, labels = found.parents
    assert seed == Parent(ParentKind.PHRASEBANK, "sample, agreement 50", "s", "p", "phrasebank")
    assert labels == annotators((), "p")
    engine.dispose()


def downgrade(engine: Engine, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, to)
        connection.commit()


def test_the_columns_of_the_phrasebank_come_back_where_the_schema_is_taken_back(empty_url: str) -> None:
    engine = open_database(empty_url)
    migrate(engine)
    bank = Parent(ParentKind.PHRASEBANK, "hub, agreement 7, agreement 75", "s", "p", "phrasebank")
    csv = Parent(ParentKind.CSV, "mine.csv", "t", "p", "csv")
    for version, seed in (("v", bank), ("w", csv)):
        parents = (seed, annotators((), "p"))
        Datasets(engine).save(DatasetVersion(version, NOON, parents, 7, "p", ()), {})
    downgrade(engine, "0002")
    with engine.connect() as connection:
        columns = "version, phrasebank_sha256, phrasebank_source, agreement"
        rows = connection.execute(text(f"SELECT {columns} FROM dataset ORDER BY version")).all()
    assert [tuple(row) for row in rows] == [("v", "s", "hub, agreement 7", 75), ("w", "t", "mine.csv", 0)]
    migrate(engine)
    assert Datasets(engine).load("v").parents == (bank, annotators((), "p"))
    engine.dispose()


def test_a_dataset_that_kept_a_verdict_keeps_that_it_was_judged(empty_url: str) -> None:
    engine = open_database(empty_url)
    migrate(engine, "0002")
    columns = "version, created_at, phrasebank_sha256, phrasebank_source, agreement, label_watermark, policy, judged_at"
    moment = "'2026-03-01 12:00:00+00:00'"
    with engine.begin() as connection:
        for version, judged in (("v", moment), ("w", "NULL")):
            values = f"'{version}', {moment}, 's', 'sample', 50, 7, 'p', {judged}"
            connection.execute(text(f"INSERT INTO dataset ({columns}, verdict) VALUES ({values}, '{{}}')"))
    migrate(engine)
    datasets = Datasets(engine)
    assert (datasets.judged("v"), datasets.judged("w")) == (True, False)
    engine.dispose()


def test_processes_that_start_at_once_migrate_once(empty_url: str) -> None:
    at_once(MIGRATE, [[empty_url]] * 3)
    engine = open_database(empty_url)
    assert set(Base.metadata.tables) < set(inspect(engine).get_table_names())
    engine.dispose()


@pytest.mark.parametrize("table", ["split", "problem"])
def test_a_migration_that_is_cut_short_leaves_nothing(empty_url: str, table: str) -> None:
    """Neither in its first step nor in a later one."""
    engine = open_database(empty_url)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE TABLE {table} (unexpected INTEGER)"))
    with pytest.raises(Exception, match="already exists"):
        migrate(engine)
    assert inspect(engine).get_table_names() == [table]
    engine.dispose()


def test_a_database_of_a_newer_finloop_is_refused_by_name(empty_url: str) -> None:
    engine = open_database(empty_url)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadInput, match="9999") as caught:
        migrate(engine)
    assert caught.value.part is Part.DATABASE
    engine.dispose()


@pytest.mark.parametrize("folder", ["100% sure", "a space", "ünï"])
def test_any_folder_may_hold_the_database(tmp_path: Path, folder: str) -> None:
    engine = open_database(f"sqlite:///{tmp_path / folder / 'deep' / 'finloop.db'}")
    migrate(engine)
    assert (tmp_path / folder / "deep" / "finloop.db").exists()
    engine.dispose()


def test_a_silent_postgresql_is_unreachable_within_ten_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        begun = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            migrate(open_database(f"postgresql://me:secret@127.0.0.1:{port}/labels"))
        assert time.monotonic() - begun < 10.0
    assert caught.value.part is Part.DATABASE
    assert "secret" not in str(caught.value)


def test_a_postgresql_that_answers_and_refuses_is_said_to_refuse(postgresql_url: str) -> None:
    url = make_url(postgresql_url).set(database="no_such_database").render_as_string(hide_password=False)
    with pytest.raises(TurnedAway, match=r'answers, but refuses: database "no_such_database" does not exist') as caught:
        migrate(open_database(url))
    assert caught.value.part is Part.DATABASE


def test_a_closed_postgresql_is_unreachable_for_every_verb_and_not_only_at_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    inbox = Inbox(open_database(f"postgresql://127.0.0.1:{port}/labels"))
    with pytest.raises(Unreachable) as caught:
        inbox.put("ANY", {})
    assert caught.value.part is Part.DATABASE


def test_connections_that_the_server_dropped_are_made_anew(postgresql_url: str) -> None:
    engine = open_database(postgresql_url)
    migrate(engine)
    with open_database(postgresql_url).connect() as other:
        drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        other.execute(text(f"{drop} WHERE datname = current_database() AND pid <> pg_backend_pid()"))
        other.commit()
    assert Inbox(engine).put("ANY", {}) == 1
    engine.dispose()


def test_a_sqlite_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "finloop.db").write_bytes(b"no database" * 1000)
    with pytest.raises(Unreachable, match=r"finloop\.db: file is not a database") as caught:
        migrate(open_database(f"sqlite:///{tmp_path}/finloop.db"))
    assert caught.value.part is Part.DATABASE


def test_the_embedded_database_is_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "finloop.db").mkdir()
    (tmp_path / "texts.db").write_bytes(b"no database" * 1000)
    for name, reason in {"finloop.db": "unable to open database file", "texts.db": "file is not a database"}.items():
        with pytest.raises(Unreachable) as raised:
            migrate(open_database(f"sqlite:///{tmp_path}/{name}", embedded=True))
        assert f"at {tmp_path}/{name}: {reason}." in str(raised.value)
        assert raised.value.part is Part.EMBEDDED_DATABASE


def test_a_file_in_the_place_of_the_home_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("mine")
    for folder in ("home", "home/below"):
        with pytest.raises(BadInput, match=rf"{folder}/finloop\.db cannot be made: ") as caught:
            open_database(f"sqlite:///{tmp_path}/{folder}/finloop.db", embedded=True)
        assert caught.value.part is Part.EMBEDDED_DATABASE


def test_a_file_that_turns_out_unusable_after_connecting_is_named_too(tmp_path: Path, migrated_sqlite: Path) -> None:
    shutil.copyfile(migrated_sqlite, tmp_path / "read-only.db")
    (tmp_path / "read-only.db-shm").mkdir()
    with pytest.raises(Unreachable, match=r"read-only\.db: attempt to write a readonly database"):
        Inbox(open_database(f"sqlite:///{tmp_path}/read-only.db", embedded=True)).put("ANY", {})
    shutil.copyfile(migrated_sqlite, tmp_path / "damaged.db")
    engine = open_database(f"sqlite:///{tmp_path}/damaged.db", embedded=True)
    with engine.connect() as connection:
        page = connection.scalar(text("SELECT rootpage FROM sqlite_master WHERE name = 'alembic_version'"))
        size = connection.scalar(text("PRAGMA page_size"))
    engine.dispose()
    with (tmp_path / "damaged.db").open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with pytest.raises(Unreachable, match=r"damaged\.db: database disk image is malformed"):
        migrate(engine)
    engine.dispose()


def test_an_embedded_database_of_a_newer_finloop_is_named_by_its_home(tmp_path: Path, migrated_sqlite: Path) -> None:
    shutil.copyfile(migrated_sqlite, tmp_path / "finloop.db")
    engine = open_database(f"sqlite:///{tmp_path}/finloop.db", embedded=True)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadInput, match=rf"{tmp_path}/finloop\.db .*9999") as caught:
        migrate(engine)
    assert caught.value.part is Part.EMBEDDED_DATABASE
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://127.0.0.1/x", "labels.db", "", "postgresql://host:port/x"])
def test_an_address_that_is_no_database_url_is_bad_input(url: str) -> None:
    with pytest.raises(BadInput) as caught:
        open_database(url)
    assert caught.value.part is Part.DATABASE


def test_a_folder_that_cannot_be_made_is_bad_input() -> None:
    with pytest.raises(BadInput, match="cannot be made"):
        open_database("sqlite:////proc/nowhere/finloop.db")


def test_a_home_that_is_up_to_date_is_opened_while_another_process_writes(
    tmp_path: Path, migrated_sqlite: Path
) -> None:
    shutil.copyfile(migrated_sqlite, tmp_path / "finloop.db")
    other = sqlite3.connect(tmp_path / "finloop.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    engine = open_database(f"sqlite:///{tmp_path}/finloop.db", embedded=True)
    began = time.monotonic()
    migrate(engine)
    assert time.monotonic() - began < 5
    other.execute("PRAGMA busy_timeout=1")
    with engine.connect().execution_options(finloop_reading=True) as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=1")
        with pytest.raises(Unreachable, match=r"finloop\.db is locked by another process"):
            connection.exec_driver_sql("DELETE FROM home")
    other.close()
    engine.dispose()


def test_a_full_disk_is_named_and_leaves_nothing_half_written(tmp_path: Path, migrated_sqlite: Path) -> None:
    shutil.copyfile(migrated_sqlite, tmp_path / "finloop.db")
    engine = open_database(f"sqlite:///{tmp_path}/finloop.db", embedded=True)
    with pytest.raises(Unreachable, match=r"the disk of .*finloop\.db is full"), engine.begin() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 2}")
        for number in range(1000):
            columns = "action, received_at, payload, state"
            row = f"'A{number}', '2026-01-01', '{{\"x\": \"{'x' * 2000}\"}}', 'new'"
            connection.exec_driver_sql(f"INSERT INTO inbox ({columns}) VALUES ({row})")
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM inbox")) == 0
    engine.dispose()
