"""Label tasks: the texts that annotators are asked about. The text id is the primary key, so that no text is reserved
twice, even when several selects run at once. A lease says which process may send a reserved batch.

Statements on many rows lock the rows in the order of the text ids, so that two processes never deadlock.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, bindparam, case, func, select, update

from storage.clock import now
from storage.labels.projects import Project
from storage.records import LabelTask, Prediction, Purpose, TaskState, Text
from storage.sql.database import reading
from storage.sql.schema import TaskRow
from storage.sql.upsert import insert_new
from storage.texts.paging import batches
from storage.texts.predictions import prediction_from_json, prediction_to_json

CHUNK = 500
"""Ids in one IN list: SQLite and PostgreSQL both bound the parameters of a statement."""

_LOST = (TaskRow.state == TaskState.SENT) & TaskRow.missing_since.is_not(None)
_WITHDRAWN = TaskRow.state == TaskState.WITHDRAWN


class Tasks:
    """The label tasks in the label database."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def reserve(
        self,
        texts: Sequence[Text],
        purpose: Purpose,
        batch_id: str,
        owner: str,
        lasts: timedelta,
        *,
        reasons: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        first: int = 1,
    ) -> list[LabelTask]:
        """Reserve, for a batch, the texts that have no task yet. Returns all tasks of the batch, earlier ones too.

        `reasons` has, by text id, why a text was chosen. The texts are worth a label in their order, from `first` on.
        """
        moment = now()
        batch = {"purpose": purpose, "state": TaskState.RESERVED, "batch_id": batch_id, "reserved_at": moment}
        lease = {"lease_owner": owner, "lease_until": moment + lasts}
        rows = [
            {
                "text_id": text.text_id,
                "text": text.text,
                "source": text.source[:100],
                "prediction": prediction_to_json(text.prediction),
                "reason": dict(reasons[text.text_id]) if text.text_id in reasons else None,
                "worth": worth,
                **batch,
                **lease,
            }
            for worth, text in sorted(enumerate(texts, start=first), key=lambda ranked: ranked[1].text_id)
        ]
        with self._engine.begin() as connection:
            if rows:
                connection.execute(insert_new(connection, TaskRow), rows)
        return self.batch(batch_id)

    def renew(self, batch_id: str, owner: str, lasts: timedelta) -> bool:
        """Renew the lease on a batch. False: another process has the batch now, and the caller must stop sending."""
        mine = (TaskRow.batch_id == batch_id) & (TaskRow.state == TaskState.RESERVED) & (TaskRow.lease_owner == owner)
        with self._engine.begin() as connection:
            if not _locked_batches(connection, mine):
                return False
            connection.execute(update(TaskRow).where(mine).values(lease_until=now() + lasts))
            return True

    def batch(self, batch_id: str) -> list[LabelTask]:
        """The tasks of a batch, in any state."""
        return self._tasks(TaskRow.batch_id == batch_id)

    def known(self, text_ids: Collection[str]) -> set[str]:
        """Which of these texts have a task already."""
        found: set[str] = set()
        with self._reader.connect() as connection:
            for some in batches(text_ids, CHUNK):
                found.update(connection.scalars(select(TaskRow.text_id).where(TaskRow.text_id.in_(some))))
        return found

    def take_over(self, owner: str, lasts: timedelta) -> list[str]:
        """Give the unsent batches whose lease has expired to `owner`, and return their batch ids."""
        moment = now()
        expired = (TaskRow.state == TaskState.RESERVED) & (TaskRow.lease_until < moment)
        with self._engine.begin() as connection:
            unsent = _locked_batches(connection, expired)
            connection.execute(update(TaskRow).where(expired).values(lease_owner=owner, lease_until=moment + lasts))
        return unsent

    def mark_sent(self, project: Project, task_ids: Mapping[str, int]) -> None:
        """Store the Label Studio task id of each text id, and mark the task as sent. An answered task stays answered.

        A text keeps its first task id: a second call for the text changes nothing.
        """
        state = case((TaskRow.state == TaskState.RESERVED, TaskState.SENT), else_=TaskRow.state)
        self._set_address(project, task_ids, TaskRow.task_id.is_(None), state=state, sent_at=now())

    def mark_found(self, project: Project, task_ids: Mapping[str, int]) -> None:
        """Store the task id at which Label Studio has each text now, also where another id was known."""
        self._set_address(project, task_ids, TaskRow.task_id.is_not(None), missing_since=None)

    def reserve_again(self, text_ids: Collection[str], batch_id: str, owner: str, lasts: timedelta) -> None:
        """Reserve, for a batch, those of these texts whose task is missing and was not answered."""
        moment = now()
        batch = {"state": TaskState.RESERVED, "batch_id": batch_id, "reserved_at": moment, "missing_since": None}
        nowhere = dict.fromkeys(("server", "project_id", "epoch", "task_id", "sent_at"))
        lease = {"lease_owner": owner, "lease_until": moment + lasts}
        with self._engine.begin() as connection:
            for some in batches(sorted(text_ids), CHUNK):
                lost = _LOST & TaskRow.text_id.in_(some)
                _locked_batches(connection, lost)
                connection.execute(update(TaskRow).where(lost).values(**batch, **nowhere, **lease))

    def rank(self, ranked: Sequence[tuple[str, Prediction]]) -> None:
        """Store the order of asking of these texts, the first is 1, and their newest predictions.

        A task that is not waiting for an answer any more keeps what its annotator saw.
        """
        statement = (
            update(TaskRow.__table__)  # type: ignore[arg-type]
            .where(TaskRow.text_id == bindparam("of_text"), TaskRow.state == TaskState.SENT)
            .values(worth=bindparam("its_worth"), prediction=bindparam("its_prediction"))
        )
        rows = [
            {"of_text": text_id, "its_worth": worth, "its_prediction": prediction_to_json(prediction)}
            for worth, (text_id, prediction) in enumerate(ranked, start=1)
        ]
        for some in batches(sorted(rows, key=lambda row: str(row["of_text"])), CHUNK):
            with self._engine.begin() as connection:
                connection.execute(statement, some)

    def withdraw(self, text_ids: Collection[str]) -> None:
        """Mark tasks as withdrawn. A task that is not waiting for an answer any more stays as it is."""
        self._set_state(text_ids, TaskState.SENT, TaskState.WITHDRAWN)

    def keep(self, text_ids: Collection[str]) -> None:
        """Let withdrawn tasks wait for an answer again. A task that was answered meanwhile stays answered."""
        self._set_state(text_ids, TaskState.WITHDRAWN, TaskState.SENT)

    def withdrawn(self, project: Project) -> list[LabelTask]:
        """The withdrawn tasks that a project still has, as far as is known."""
        return self._tasks(_at(project) & _WITHDRAWN & TaskRow.missing_since.is_(None))

    def get(self, text_id: str) -> LabelTask | None:
        """The task of a text, or None."""
        return next(iter(self._tasks(TaskRow.text_id == text_id)), None)

    def asked(self) -> dict[str, str]:
        """Text id -> text as annotators see it, of every text that was reserved or sent."""
        with self._reader.connect() as connection:
            return dict(connection.execute(select(TaskRow.text_id, TaskRow.text)).tuples().all())

    def sent(self) -> list[LabelTask]:
        """Every task that was sent, to whatever server and project."""
        return self._tasks(TaskRow.task_id.is_not(None))

    def lost(self, server: str) -> list[LabelTask]:
        """The tasks without an answer that are missing from a server."""
        return self._tasks(_LOST & (TaskRow.server == server))

    def open(self, server: str, project_id: int) -> list[LabelTask]:
        """The sent tasks of a project that have no answer yet. Missing tasks are left out."""
        here = (TaskRow.server == server) & (TaskRow.project_id == project_id)
        return self._tasks(here & (TaskRow.state == TaskState.SENT) & TaskRow.missing_since.is_(None))

    def open_elsewhere(self, server: str) -> dict[str, int]:
        """Address -> number of sent tasks without an answer, for every other server."""
        query = select(TaskRow.server, func.count()).group_by(TaskRow.server).order_by(TaskRow.server)
        waiting = (TaskRow.state == TaskState.SENT) & TaskRow.missing_since.is_(None)
        with self._reader.connect() as connection:
            return {str(at): count for at, count in connection.execute(query.where(waiting, TaskRow.server != server))}

    def mark_missing(self, project: Project, task_ids: Collection[int]) -> None:
        """Mark tasks as missing from Label Studio. `finloop status` reports missing tasks; their labels stay."""
        for some in batches(sorted(task_ids), CHUNK):
            self._mark_missing(_at(project) & TaskRow.task_id.in_(some))

    def mark_gone(self, text_ids: Collection[str]) -> None:
        """Mark the tasks of these texts as missing. Another text's task that has the same number now stays."""
        for some in batches(sorted(text_ids), CHUNK):
            self._mark_missing(TaskRow.text_id.in_(some))

    def mark_left_behind(self, project: Project) -> None:
        """Mark the tasks of earlier projects on this server as missing; `project` is the current one."""
        self._mark_missing((TaskRow.server == project.server) & ~_at(project))

    def missing(self, since: datetime | None = None) -> int:
        """The number of tasks that are missing from Label Studio: all, or those that went after a moment.

        Withdrawn tasks are left out: finloop itself deleted them.
        """
        gone = TaskRow.missing_since.is_not(None) if since is None else TaskRow.missing_since > since
        with self._reader.connect() as connection:
            query = select(func.count()).select_from(TaskRow).where(gone, ~_WITHDRAWN)
            return connection.scalar(query) or 0

    def counts(self) -> dict[Purpose, dict[TaskState, int]]:
        """Purpose -> state -> number of tasks; states without tasks are left out."""
        query = select(TaskRow.purpose, TaskRow.state, func.count()).group_by(TaskRow.purpose, TaskRow.state)
        counts: dict[Purpose, dict[TaskState, int]] = {}
        with self._reader.connect() as connection:
            for purpose, state, count in connection.execute(query):
                counts.setdefault(Purpose(purpose), {})[TaskState(state)] = count
        return counts

    def text_ids(self) -> Iterator[str]:
        """The ids of all texts that have a task."""
        with self._reader.connect() as connection:
            return iter(connection.scalars(select(TaskRow.text_id)).all())

    def unanswered(self, server: str, project_id: int, purpose: Purpose) -> int:
        """The number of a purpose's tasks that are reserved, or wait in this project. Missing tasks are left out."""
        here = (TaskRow.server == server) & (TaskRow.project_id == project_id) & (TaskRow.state == TaskState.SENT)
        waiting = (here & TaskRow.missing_since.is_(None)) | (TaskRow.state == TaskState.RESERVED)
        with self._reader.connect() as connection:
            query = select(func.count()).select_from(TaskRow).where(waiting, TaskRow.purpose == purpose)
            return connection.scalar(query) or 0

    def _set_state(self, text_ids: Collection[str], before: TaskState, after: TaskState) -> None:
        for some in batches(sorted(text_ids), CHUNK):
            which = (TaskRow.state == before) & TaskRow.text_id.in_(some)
            with self._engine.begin() as connection:
                _locked_batches(connection, which)
                connection.execute(update(TaskRow).where(which).values(state=after))

    def _mark_missing(self, condition: ColumnElement[bool]) -> None:
        there = condition & TaskRow.missing_since.is_(None)
        with self._engine.begin() as connection:
            _locked_batches(connection, there)
            connection.execute(update(TaskRow).where(there).values(missing_since=now()))

    def _set_address(
        self, project: Project, task_ids: Mapping[str, int], which: ColumnElement[bool], **values: Any
    ) -> None:
        if not task_ids:
            return
        statement = (
            update(TaskRow.__table__)  # type: ignore[arg-type]
            .where(TaskRow.text_id == bindparam("of_text"), which)
            .values(server=project.server, project_id=project.id, epoch=project.epoch, task_id=bindparam("its_id"))
            .values(lease_owner=None, lease_until=None, **values)
        )
        with self._engine.begin() as connection:
            rows = [{"of_text": text_id, "its_id": task_id} for text_id, task_id in sorted(task_ids.items())]
            connection.execute(statement, rows)

    def _tasks(self, condition: ColumnElement[bool]) -> list[LabelTask]:
        query = select(TaskRow.__table__).where(condition).order_by(TaskRow.text_id)
        with self._reader.connect() as connection:
            return [_task(row) for row in connection.execute(query).mappings()]


def _at(project: Project) -> ColumnElement[bool]:
    """The tasks that were sent to a project."""
    return (TaskRow.server == project.server) & (TaskRow.project_id == project.id) & (TaskRow.epoch == project.epoch)


def _locked_batches(connection: Connection, condition: ColumnElement[bool]) -> list[str]:
    """Lock the tasks that fulfil a condition, and return their batch ids. Locked tasks still fulfil the condition."""
    query = select(TaskRow.batch_id).where(condition).order_by(TaskRow.text_id).with_for_update()
    return sorted(set(connection.scalars(query)))


def _task(row: RowMapping) -> LabelTask:
    prediction: Prediction | None = prediction_from_json(row["prediction"])
    return LabelTask(
        text_id=row["text_id"],
        text=row["text"],
        source=row["source"],
        purpose=Purpose(row["purpose"]),
        state=TaskState(row["state"]),
        batch_id=row["batch_id"],
        prediction=prediction,
        server=row["server"],
        project_id=row["project_id"],
        task_id=row["task_id"],
        epoch=row["epoch"],
        missing=row["missing_since"] is not None,
        reason=row["reason"],
        worth=row["worth"],
    )
