"""PostgreSQL databases of the tests' own, made on the server of FINLOOP_TEST_POSTGRESQL and dropped afterwards."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, make_url, text


@contextmanager
def new_database() -> Iterator[str]:
    """The URL of an empty database; skips when FINLOOP_TEST_POSTGRESQL names no server."""
    given = os.environ.get("FINLOOP_TEST_POSTGRESQL")
    if not given:
        pytest.skip("FINLOOP_TEST_POSTGRESQL is not set: no PostgreSQL server to make a database on")
    name = f"finloop_test_{uuid.uuid4().hex}"
    server = create_engine(given, isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield make_url(given).set(database=name).render_as_string(hide_password=False)
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        server.dispose()


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """An empty database for one test."""
    with new_database() as url:
        yield url


@pytest.fixture(scope="session")
def postgresql_session_url() -> Iterator[str]:
    """One database for a whole session, for tests that clean up after themselves: making one takes .1 to 2 s."""
    with new_database() as url:
        yield url
