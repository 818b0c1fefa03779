"""Dataset versions: immutable rows named by their hash, their parents, and how far the labels were read."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select, update

from storage.clock import now
from storage.datasets.parents import grown_from, parents_by_dataset, put_parents
from storage.datasets.rows import counts, put_rows, rows_of
from storage.datasets.splits import KnownSplits, keep_splits, known_splits
from storage.errors import UnknownVersion
from storage.records import DatasetVersion, Parent, Split
from storage.sql.database import reading, snapshot
from storage.sql.schema import DatasetRow
from storage.sql.upsert import insert_new

_NEWEST_FIRST = (DatasetRow.label_watermark.desc(), DatasetRow.created_at.desc(), DatasetRow.version)


class Datasets:
    """The stored dataset versions and the known splits."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def save(self, dataset: DatasetVersion, splits: KnownSplits) -> None:
        """Store a version with its rows and splits in one transaction.

        The rows of a stored version never change. Its label watermark and its dropped counts follow a newer save, so
        that labels that changed no row are not counted as new again. While the version is unjudged, its policy and
        parents follow the newest save too: `unjudged` finds an interrupted retrain by them. Raises BadInput, and
        stores nothing, where a row has another split than its text had before.
        """
        with self._engine.begin() as connection:
            keep_splits(connection, dataset.rows, splits)
            made = connection.execute(
                insert_new(connection, DatasetRow).values(
                    version=dataset.version,
                    created_at=dataset.created_at,
                    label_watermark=dataset.label_watermark,
                    policy=dataset.policy,
                    dropped=dict(dataset.dropped),
                )
            )
            if made.rowcount == 0:
                _renew(connection, dataset)
                return
            put_parents(connection, dataset.version, dataset.parents)
            put_rows(connection, dataset.version, dataset.rows)

    def load(self, version: str) -> DatasetVersion:
        """A version with its rows, sorted by text id. Raises UnknownVersion."""
        with snapshot(self._engine).connect() as connection:
            head = connection.execute(select(DatasetRow.__table__).where(DatasetRow.version == version))
            found = head.mappings().first()
            if found is None:
                raise _unknown(version)
            parents, rows = parents_by_dataset(connection, version), rows_of(connection, version)
        return DatasetVersion(
            version=version,
            created_at=found["created_at"],
            parents=parents.get(version, ()),
            label_watermark=found["label_watermark"],
            policy=found["policy"],
            rows=rows,
            dropped=found["dropped"],
        )

    def unjudged(self, *, seed: Parent | None = None, policy: str | None = None) -> str | None:
        """The newest version, if no model of that version was judged: its retrain was interrupted. Else None.

        Where `seed` or `policy` is given, only versions that were made with them count. A version is never returned
        once another version has read newer labels.
        """
        query = select(DatasetRow.version, DatasetRow.judged_at).where(
            DatasetRow.label_watermark == select(func.max(DatasetRow.label_watermark)).scalar_subquery()
        )
        if seed is not None:
            query = query.where(DatasetRow.version.in_(grown_from(seed)))
        if policy is not None:
            query = query.where(DatasetRow.policy == policy)
        with self._reader.connect() as connection:
            row = connection.execute(query.order_by(*_NEWEST_FIRST).limit(1)).first()
            return row.version if row is not None and row.judged_at is None else None

    def watermark(self) -> int:
        """The number of the newest label change that a dataset has read; 0 before the first dataset."""
        with self._reader.connect() as connection:
            return connection.scalar(select(func.max(DatasetRow.label_watermark))) or 0

    def splits(self) -> dict[str, tuple[str, Split]]:
        """The cluster and split of every text that was ever in a dataset."""
        with self._reader.connect() as connection:
            return known_splits(connection)

    def mark_judged(self, version: str) -> None:
        """Note that a model of this dataset was judged. The registry keeps the verdict. Raises UnknownVersion."""
        with self._engine.begin() as connection:
            done = connection.execute(update(DatasetRow).where(DatasetRow.version == version).values(judged_at=now()))
            if done.rowcount == 0:
                raise _unknown(version)

    def judged(self, version: str) -> bool:
        """Whether a model of this dataset was judged."""
        with self._reader.connect() as connection:
            moment = select(DatasetRow.judged_at).where(DatasetRow.version == version)
            return connection.scalar(moment) is not None

    def summaries(self) -> list[dict[str, Any]]:
        """One mapping for each version, newest first: its columns, its `parents`, and its row counts as `rows`."""
        with snapshot(self._engine).connect() as connection:
            heads = connection.execute(select(DatasetRow.__table__).order_by(*_NEWEST_FIRST)).mappings().all()
            parents, rows = parents_by_dataset(connection), counts(connection)
        return [
            {key: _plain(value) for key, value in head.items()}
            | {"parents": [asdict(parent) for parent in parents.get(head["version"], ())]}
            | {"rows": rows.get(head["version"], {})}
            for head in heads
        ]


def _renew(connection: Connection, dataset: DatasetVersion) -> None:
    """Update a stored version from a newer save of the same rows."""
    same = update(DatasetRow).where(DatasetRow.version == dataset.version)
    unjudged = connection.execute(same.where(DatasetRow.judged_at.is_(None)).values(policy=dataset.policy))
    if unjudged.rowcount:
        put_parents(connection, dataset.version, dataset.parents)
    connection.execute(
        same.where(DatasetRow.label_watermark < dataset.label_watermark).values(
            label_watermark=dataset.label_watermark, dropped=dict(dataset.dropped)
        )
    )


def _unknown(version: str) -> UnknownVersion:
    return UnknownVersion(f"there is no dataset {version!r}; `finloop datasets` lists them")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
