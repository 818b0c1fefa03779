"""Which project and webhook of a Label Studio server are ours; the ids outlive renames and edits there."""

from dataclasses import dataclass

from sqlalchemy import Engine, select, update

from storage.sql.database import reading
from storage.sql.schema import AnnotationRow, ProjectRow, TaskRow, TombstoneRow
from storage.sql.upsert import insert_or_update


@dataclass(frozen=True, slots=True)
class ProjectIds:
    """Ids on one Label Studio server."""

    project_id: int
    webhook_id: int | None


class Projects:
    """Project ids by server address."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def get(self, server: str) -> ProjectIds | None:
        """Our ids on that server, if we ever made a project there."""
        query = select(ProjectRow.project_id, ProjectRow.webhook_id).where(ProjectRow.server == server)
        with self._reader.connect() as connection:
            row = connection.execute(query).first()
            return None if row is None else ProjectIds(*row)

    def elsewhere(self, server: str) -> dict[str, ProjectIds]:
        """Our ids on every other server, by address."""
        query = select(ProjectRow.server, ProjectRow.project_id, ProjectRow.webhook_id)
        with self._reader.connect() as connection:
            rows = connection.execute(query.where(ProjectRow.server != server).order_by(ProjectRow.server))
            return {row.server: ProjectIds(row.project_id, row.webhook_id) for row in rows}

    def move(self, old: str, new: str) -> None:
        """A server has another address now: whatever is known of it goes by the new one, all at once."""
        with self._engine.begin() as connection:
            for table in (ProjectRow, TaskRow, AnnotationRow, TombstoneRow):
                connection.execute(update(table).where(table.server == old).values(server=new))

    def put(self, server: str, ids: ProjectIds) -> None:
        """Remember our ids on that server."""
        with self._engine.begin() as connection:
            connection.execute(
                insert_or_update(connection, ProjectRow, ["server"], ["project_id", "webhook_id"]).values(
                    server=server, project_id=ids.project_id, webhook_id=ids.webhook_id
                )
            )
