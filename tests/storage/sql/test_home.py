from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from storage.errors import BadInput
from storage.sql.database import migrate, open_database
from storage.sql.home import home_identity, keep_scheme
from tests.schemes import SENTIMENT, scheme_of
from tests.storage.processes import at_once

RUMOUR = scheme_of("confirmed", "rumour", name="rumour")


def test_the_first_scheme_is_kept_and_another_is_refused_by_its_name_and_labels(engine: Engine) -> None:
    assert keep_scheme(engine, RUMOUR) is None
    assert keep_scheme(engine, RUMOUR) is None
    assert keep_scheme(engine, SENTIMENT) == "rumour (confirmed, rumour)"
    assert keep_scheme(engine, RUMOUR) is None, "a refusal changes nothing"


def test_other_labels_or_another_name_make_another_scheme_and_wording_does_not(engine: Engine) -> None:
    keep_scheme(engine, RUMOUR)
    assert keep_scheme(engine, RUMOUR.model_copy(update={"question": "Is it true?"})) is None
    for other in (scheme_of("rumour", "confirmed", name="rumour"), scheme_of("confirmed", "rumour", name="gossip")):
        assert keep_scheme(engine, other) == "rumour (confirmed, rumour)"


def test_of_processes_that_begin_a_home_at_once_one_scheme_is_kept(database_url: str) -> None:
    code = """
import sys
from storage.sql.database import open_database
from storage.sql.home import keep_scheme
from tests.schemes import scheme_of
scheme, engine = scheme_of("one", sys.argv[2]), open_database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(keep_scheme(engine, scheme) is None)
"""
    kept = at_once(code, [[database_url, name] for name in ("two", "three", "four")])
    assert sorted(line.strip() for line in kept) == ["False", "False", "True"]


def test_an_unused_database_of_before_schemes_may_have_any(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/finloop.db")
    migrate(engine, "0002")
    migrate(engine)
    assert keep_scheme(engine, RUMOUR) is None
    engine.dispose()


def test_a_used_database_of_before_schemes_is_one_of_sentiment(empty_url: str) -> None:
    engine = open_database(empty_url)
    migrate(engine, "0002")
    with engine.begin() as connection:
        columns = "text_id, text, source, purpose, state, batch_id, reserved_at"
        values = "'t', 'Profit rose.', 'feed', 'select', 'sent', 'b', '2026-03-01 12:00:00+00:00'"
        connection.execute(text(f"INSERT INTO label_task ({columns}) VALUES ({values})"))
    migrate(engine)
    assert keep_scheme(engine, RUMOUR) == "sentiment (positive, neutral, negative)"
    assert keep_scheme(engine, SENTIMENT) is None
    engine.dispose()


def test_a_home_has_an_id_of_its_own_that_never_changes(engine: Engine, tmp_path: Path) -> None:
    other = open_database(f"sqlite:///{tmp_path}/other.db")
    migrate(other)
    for home in (engine, other):
        keep_scheme(home, SENTIMENT)
    identity = home_identity(engine)
    keep_scheme(engine, SENTIMENT)
    assert home_identity(engine) == identity
    assert home_identity(other) != identity
    assert len(identity) == 32
    other.dispose()


def test_a_home_that_keeps_a_scheme_already_gets_its_id_by_the_migration(empty_url: str) -> None:
    engine = open_database(empty_url)
    migrate(engine, "0006")
    with engine.begin() as connection:
        columns = "id, scheme, hash, labels"
        connection.execute(text(f"INSERT INTO home ({columns}) VALUES (1, 'rumour', '{RUMOUR.hash}', '[]')"))
    migrate(engine)
    identity = home_identity(engine)
    migrate(engine)
    assert home_identity(engine) == identity
    assert keep_scheme(engine, RUMOUR) is None
    engine.dispose()


def test_a_home_without_a_scheme_has_no_id_yet(engine: Engine) -> None:
    with pytest.raises(BadInput, match="no id"):
        home_identity(engine)
