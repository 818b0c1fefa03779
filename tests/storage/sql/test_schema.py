from datetime import datetime, timedelta, timezone

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from storage.sql.schema import Base, InboxRow, LabelRow
from tests.storage.conftest import NOON


def test_the_migrations_make_the_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_times_come_back_as_the_same_moment_in_utc(engine: Engine) -> None:
    elsewhere = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-7)))
    with engine.begin() as connection:
        connection.execute(insert(InboxRow).values(received_at=elsewhere, action="a", payload={}, state="new"))
        back = connection.scalars(select(InboxRow.received_at)).one()
    assert back == elsewhere
    assert back.utcoffset() == timedelta()


def test_a_time_without_a_zone_is_refused(engine: Engine) -> None:
    naive = datetime(2026, 3, 1)
    with pytest.raises(StatementError, match="without a zone"), engine.begin() as connection:
        connection.execute(insert(InboxRow).values(received_at=naive, action="a", payload={}, state="new"))


def test_a_label_without_a_task_is_refused(engine: Engine) -> None:
    row = insert(LabelRow).values(text_id="a" * 32, label="neutral", annotations=1, sequence=1, changed_at=NOON)
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(row)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM label")) == 0
