"""Our project and webhook on each Label Studio server, known by id: people may rename and edit them there.

A server whose database is replaced (a reset, another volume) begins its numbers at 1 again, and a stranger's project
may get the number that ours had. So each project that we make has an epoch, an id of our own, which Label Studio keeps
in the project's description. A number means something only within its epoch. A project whose place another took is
kept here: its answers may still wait in the inbox, and its server may come back.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, select, update

from storage.clock import now
from storage.records import AnnotationKey
from storage.sql.database import reading
from storage.sql.schema import AnnotationRow, ProjectRow, TaskRow, TombstoneRow
from storage.sql.upsert import insert_or_update


@dataclass(frozen=True, slots=True)
class Project:
    """Our project on a Label Studio server, and its webhook where one was made.

    `secret_hash` is the hash of the secret that we wrote into the webhook, None where an earlier finloop wrote it.
    """

    server: str
    id: int
    webhook_id: int | None = None
    epoch: str = ""
    secret_hash: str | None = None

    @property
    def url(self) -> str:
        """The page on which annotators work."""
        return f"{self.server}/projects/{self.id}/data"

    def annotation(self, number: int) -> AnnotationKey:
        """The identity of the annotation that has this number in the project."""
        return AnnotationKey(self.server, self.id, number, self.epoch)


@dataclass(frozen=True, slots=True)
class Left:
    """A project of ours whose place another took: when, and why."""

    project: Project
    at: datetime
    why: str


def new_epoch() -> str:
    """An epoch that no other project has: 32 hexadecimal digits."""
    return uuid.uuid4().hex


class Projects:
    """Our projects by server address. A server has one current project, and those before it."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def get(self, server: str) -> Project | None:
        """Our current project on that server, or None before we made one."""
        return next(iter(self._where(ProjectRow.server == server, ProjectRow.left_at.is_(None))), None)

    def before(self, server: str) -> list[Project]:
        """Our earlier projects on that server, the last first."""
        return [left.project for left in self.left(server)]

    def left(self, server: str) -> list[Left]:
        """Our earlier projects on that server with the time and reason of their end, the last first."""
        query = select(*_COLUMNS, ProjectRow.left_at, ProjectRow.left_why).order_by(ProjectRow.left_at.desc())
        ended = ProjectRow.left_at.is_not(None)
        with self._reader.connect() as connection:
            rows = connection.execute(query.where(ProjectRow.server == server, ended)).all()
        return [Left(Project(*row[:5]), row.left_at, row.left_why or "") for row in rows]

    def elsewhere(self, server: str) -> list[Project]:
        """Our projects on every other server, earlier ones too."""
        return self._where(ProjectRow.server != server)

    def move(self, old: str, new: str) -> None:
        """Change the address of a server in every table, in one transaction."""
        with self._engine.begin() as connection:
            for table in (ProjectRow, TaskRow, AnnotationRow, TombstoneRow):
                connection.execute(update(table).where(table.server == old).values(server=new))

    def put(self, project: Project, instead_because: str = "") -> None:
        """Store our current project on its server. One of another epoch is left, for the reason `instead_because`."""
        here = (ProjectRow.server == project.server) & (ProjectRow.epoch != project.epoch)
        values = {
            "project_id": project.id,
            "webhook_id": project.webhook_id,
            "secret_hash": project.secret_hash,
            "left_at": None,
            "left_why": None,
        }
        with self._engine.begin() as connection:
            others = update(ProjectRow).where(here, ProjectRow.left_at.is_(None))
            connection.execute(others.values(left_at=now(), left_why=instead_because))
            connection.execute(
                insert_or_update(connection, ProjectRow, ["server", "epoch"], list(values)).values(
                    server=project.server, epoch=project.epoch, **values
                )
            )

    def _where(self, *conditions: ColumnElement[bool]) -> list[Project]:
        query = select(*_COLUMNS).where(*conditions).order_by(ProjectRow.server, ProjectRow.left_at)
        with self._reader.connect() as connection:
            return [Project(*row) for row in connection.execute(query)]


_COLUMNS = (
    ProjectRow.server,
    ProjectRow.project_id,
    ProjectRow.webhook_id,
    ProjectRow.epoch,
    ProjectRow.secret_hash,
)
