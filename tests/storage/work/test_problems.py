"""A problem is told once, and until it has ended; those of older homes come out of the outbox."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

from storage.sql import database
from storage.sql.database import migrate, open_database
from storage.work.outbox import Outbox
from storage.work.problems import Problems
from tests.homes.opening import put_home

GIVEN_UP = "unfinished:441a8cc5d17c7930"
REASON = "training of dataset 441a8cc5d17c: 1 runs ended without a verdict"


@pytest.fixture
def problems(engine: Engine) -> Problems:
    return Problems(engine)


def test_a_problem_is_open_with_its_reason_and_detail_until_it_ends(problems: Problems) -> None:
    assert problems.note("unfinished:0", "unfinished", "3 runs ended", watermark=7)
    (told,) = problems.open()
    assert (told.key, told.kind, told.reason) == ("unfinished:0", "unfinished", "3 runs ended")
    assert told.detail == {"watermark": 7}
    problems.end("unfinished:0")
    assert problems.open() == []


def test_the_first_word_on_a_problem_stands(problems: Problems) -> None:
    problems.note("a", "unfinished", "first")
    assert not problems.note("a", "unfinished", "second")
    assert [told.reason for told in problems.open()] == ["first"]


def test_a_problem_that_has_ended_is_not_told_again(problems: Problems) -> None:
    problems.note("a", "unfinished", "first")
    problems.end("a")
    assert not problems.note("a", "unfinished", "second")
    problems.end("a")
    assert problems.open() == []


def test_problems_are_told_newest_first_and_by_kind(problems: Problems) -> None:
    for key, kind in (("a", "unfinished"), ("b", "other"), ("c", "unfinished")):
        problems.note(key, kind, "so it is")
    assert [told.key for told in problems.open()] == ["c", "b", "a"]
    assert [told.key for told in problems.open("unfinished")] == ["c", "a"]


@pytest.fixture
def old_home(tmp_path: Path) -> Engine:
    return open_database(f"sqlite:///{put_home(tmp_path / 'home') / 'finloop.db'}", embedded=True)


def test_the_trouble_in_an_older_homes_outbox_becomes_a_problem(old_home: Engine) -> None:
    migrate(old_home)
    (told,) = Problems(old_home).open()
    assert (told.key, told.kind, told.reason, told.detail) == (GIVEN_UP, "unfinished", REASON, {"watermark": 31})
    assert [entry.key for entry in Outbox(old_home).troubled()] == ["retrain:31"]
    assert Outbox(old_home).get(GIVEN_UP) is None
    old_home.dispose()


def test_trouble_that_had_ended_in_an_older_home_stays_so(old_home: Engine) -> None:
    with old_home.begin() as connection:
        connection.exec_driver_sql("UPDATE outbox SET last_error = NULL WHERE kind = 'unfinished'")
    migrate(old_home)
    assert Problems(old_home).open() == []
    assert not Problems(old_home).note(GIVEN_UP, "unfinished", "again")
    old_home.dispose()


def test_the_way_back_puts_problems_into_the_outbox_again(empty_url: str) -> None:
    engine = open_database(empty_url)
    migrate(engine, "0005")
    problems = Problems(engine)
    problems.note("unfinished:3", "unfinished", "3 runs ended", watermark=3)
    problems.note("unfinished:2", "unfinished", "2 runs ended", watermark=2)
    problems.end("unfinished:2")
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0005-1")
        connection.commit()
    (told,) = Outbox(engine).troubled()
    assert (told.key, told.payload, told.last_error) == ("unfinished:3", {"watermark": 3}, "3 runs ended")
    assert told.closed_at is not None
    assert Outbox(engine).open() == []
    engine.dispose()
