"""The label store's tests run on SQLite and on PostgreSQL through one fixture."""

import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from storage.labels.annotations import Labels
from storage.labels.projects import Project
from storage.labels.tasks import Tasks
from storage.records import Annotation, AnnotationKey, Purpose, TaskState, Text
from storage.sql.database import migrate, open_database
from storage.sql.schema import Base

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SERVER = "http://127.0.0.1:8080"
PROJECT = 1
HERE = Project(SERVER, PROJECT)


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on."""
    return str(request.param)


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if backend == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    return f"sqlite:///{tmp_path}/finloop.db"


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "finloop.db"
    engine = open_database(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_session_url: str) -> str:
    """A migrated database that every test leaves empty."""
    engine = open_database(postgresql_session_url)
    migrate(engine)
    engine.dispose()
    return postgresql_session_url


@pytest.fixture
def engine(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A migrated database without rows."""
    if backend == "postgresql":
        opened = open_database(str(request.getfixturevalue("migrated_postgresql")))
    else:
        shutil.copyfile(request.getfixturevalue("migrated_sqlite"), tmp_path / "finloop.db")
        opened = open_database(f"sqlite:///{tmp_path}/finloop.db")
    yield opened
    if backend == "postgresql":
        with opened.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())
    opened.dispose()


@pytest.fixture
def database_url(engine: Engine) -> str:
    """The address of the migrated database, for processes of their own."""
    return engine.url.render_as_string(hide_password=False)


def majority(annotations: Sequence[Annotation]) -> str | None:
    """The one label that more annotators gave than any other."""
    votes = Counter(answer.label for answer in annotations if answer.label is not None).most_common(2)
    return votes[0][0] if votes and (len(votes) == 1 or votes[0][1] > votes[1][1]) else None


@pytest.fixture
def labels(engine: Engine) -> Labels:
    return Labels(engine, majority)


@pytest.fixture
def tasks(engine: Engine) -> Tasks:
    return Tasks(engine)


def a_text(name: str = "") -> Text:
    """A text of its own, or the one of that name."""
    identity = uuid.uuid5(uuid.NAMESPACE_OID, name).hex if name else uuid.uuid4().hex
    return Text(identity, f"The loss of {identity} narrowed", "feed", audit=False, ingested_at=NOON)


@pytest.fixture
def sent(tasks: Tasks) -> Callable[..., str]:
    """Sends one text to annotators and returns its id; its task id is `task_of` it."""

    def send(purpose: Purpose = Purpose.SELECT) -> str:
        text = a_text()
        tasks.reserve([text], purpose, uuid.uuid4().hex, "sender", timedelta(minutes=1))
        tasks.mark_sent(HERE, {text.text_id: task_of(text.text_id)})
        return text.text_id

    return send


def task_of(text_id: str) -> int:
    """The Label Studio task id of a text, as these tests give it."""
    return int(text_id[:12], 16)


def an_annotation(
    text_id: str, label: str | None = "positive", number: int | None = None, revision: int = 0
) -> Annotation:
    """Revision `revision` of annotation `number` of a text; the number is the text's own unless given."""
    key = AnnotationKey(SERVER, PROJECT, task_of(text_id) if number is None else number)
    return Annotation(key, task_of(text_id), text_id, label, "ann@example.org", NOON + timedelta(seconds=revision))


def label_of(labels: Labels, text_id: str) -> str | None:
    """The label of a text, None also where it was never answered."""
    row = labels.get(text_id)
    return None if row is None else row.label


def state_of(tasks: Tasks, text_id: str) -> TaskState:
    """The state of the task of a text."""
    task = tasks.get(text_id)
    assert task is not None
    return task.state
