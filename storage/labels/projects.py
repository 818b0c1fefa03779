"""Our project and webhook on each Label Studio server, known by id: people may rename and edit them there."""

from dataclasses import dataclass

from sqlalchemy import Engine, select, update

from storage.sql.database import reading
from storage.sql.schema import AnnotationRow, ProjectRow, TaskRow, TombstoneRow
from storage.sql.upsert import insert_or_update


@dataclass(frozen=True, slots=True)
class Project:
    """Our project on a Label Studio server, and its webhook where one was made."""

    server: str
    id: int
    webhook_id: int | None = None

    @property
    def url(self) -> str:
        """The page on which annotators work."""
        return f"{self.server}/projects/{self.id}/data"


class Projects:
    """Our projects by server address."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def get(self, server: str) -> Project | None:
        """Our project on that server, or None before we made one."""
        return next((project for project in self._all() if project.server == server), None)

    def elsewhere(self, server: str) -> list[Project]:
        """Our projects on every other server."""
        return [project for project in self._all() if project.server != server]

    def move(self, old: str, new: str) -> None:
        """Change the address of a server in every table, in one transaction."""
        with self._engine.begin() as connection:
            for table in (ProjectRow, TaskRow, AnnotationRow, TombstoneRow):
                connection.execute(update(table).where(table.server == old).values(server=new))

    def put(self, project: Project) -> None:
        """Store our project on its server, in place of an earlier one."""
        with self._engine.begin() as connection:
            connection.execute(
                insert_or_update(connection, ProjectRow, ["server"], ["project_id", "webhook_id"]).values(
                    server=project.server, project_id=project.id, webhook_id=project.webhook_id
                )
            )

    def _all(self) -> list[Project]:
        query = select(ProjectRow.server, ProjectRow.project_id, ProjectRow.webhook_id).order_by(ProjectRow.server)
        with self._reader.connect() as connection:
            return [Project(*row) for row in connection.execute(query)]
