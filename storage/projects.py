"""Which project and webhook of a Label Studio server are ours; the ids outlive renames and edits there."""

from dataclasses import dataclass

from sqlalchemy import Engine, select

from storage.database import reading
from storage.schema import ProjectRow
from storage.upsert import insert_or_update


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

    def put(self, server: str, ids: ProjectIds) -> None:
        """Remember our ids on that server."""
        with self._engine.begin() as connection:
            connection.execute(
                insert_or_update(connection, ProjectRow, ["server"], ["project_id", "webhook_id"]).values(
                    server=server, project_id=ids.project_id, webhook_id=ids.webhook_id
                )
            )
