"""Dataset versions: immutable rows named by their hash, and the split of every text, which never changes."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, func, insert, select, update

from storage.clock import now
from storage.errors import BadInput, UnknownVersion
from storage.records import DatasetVersion, Row, Sentiment, Split
from storage.sql.database import reading, snapshot
from storage.sql.schema import DatasetRow, ExampleRow, SplitRow
from storage.sql.upsert import insert_new
from storage.texts.paging import batches

KnownSplits = Mapping[str, tuple[str, Split]]
"""text id -> (cluster, split)."""

CHUNK = 500
_NEWEST_FIRST = (DatasetRow.label_watermark.desc(), DatasetRow.created_at.desc(), DatasetRow.version)


def dataset_hash(rows: Iterable[Row]) -> str:
    """The name of a dataset: the SHA-256 over its rows' ids, labels, splits and origins, whatever their order.

    The origin is in it since our own labels are seen more often: the same rows from elsewhere train another model.
    """
    lines = sorted(f"{row.text_id} {row.label} {row.split} {row.origin}" for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class Datasets:
    """Stored dataset versions, newest first, and the known splits."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def save(self, dataset: DatasetVersion, splits: KnownSplits) -> None:
        """Store a version with its rows and splits at once; known splits stay as they are.

        Saving a version that is there already changes no row. Its label watermark moves forward, because labels that
        changed nothing must not be counted as new for ever, and what was dropped is what was dropped by then; until it
        is judged its parents are those of now, so that a retrain cut short is found by them. Raises BadInput, and
        stores nothing, where a row stands in another split than its text has had before.
        """
        with self._engine.begin() as connection:
            _keep_splits(connection, dataset.rows, splits)
            made = connection.execute(
                insert_new(connection, DatasetRow).values(
                    version=dataset.version,
                    created_at=dataset.created_at,
                    phrasebank_sha256=dataset.phrasebank_sha256,
                    phrasebank_source=dataset.phrasebank_source,
                    agreement=dataset.agreement,
                    label_watermark=dataset.label_watermark,
                    policy=dataset.policy,
                    dropped=dict(dataset.dropped),
                )
            )
            if made.rowcount == 0:
                _renew(connection, dataset)
                return
            if dataset.rows:
                connection.execute(insert(ExampleRow), [_example(dataset.version, row) for row in dataset.rows])

    def load(self, version: str) -> DatasetVersion:
        """A version with its rows, sorted by text id. Raises UnknownVersion."""
        with self._reader.connect() as connection:
            head = connection.execute(select(DatasetRow.__table__).where(DatasetRow.version == version))
            found = head.mappings().first()
            if found is None:
                raise _unknown(version)
            query = select(ExampleRow.__table__).where(ExampleRow.dataset == version).order_by(ExampleRow.text_id)
            rows = tuple(_row(row) for row in connection.execute(query).mappings())
        return DatasetVersion(
            version=version,
            created_at=found["created_at"],
            phrasebank_sha256=found["phrasebank_sha256"],
            phrasebank_source=found["phrasebank_source"],
            agreement=found["agreement"],
            label_watermark=found["label_watermark"],
            policy=found["policy"],
            rows=rows,
            dropped=found["dropped"],
        )

    def latest(self) -> str | None:
        """The version that the newest labels were read into."""
        with self._reader.connect() as connection:
            return connection.scalar(select(DatasetRow.version).order_by(*_NEWEST_FIRST).limit(1))

    def unjudged(
        self, *, phrasebank_sha256: str | None = None, agreement: int | None = None, policy: str | None = None
    ) -> str | None:
        """The newest version, if no model of it was judged yet: a retrain of it was cut short.

        Versions of other parents than the given ones are passed over, and so are those that newer labels were read
        after: one of other parents has them.
        """
        wanted = {
            DatasetRow.phrasebank_sha256: phrasebank_sha256,
            DatasetRow.agreement: agreement,
            DatasetRow.policy: policy,
        }
        query = (
            select(DatasetRow.version, DatasetRow.judged_at)
            .where(DatasetRow.label_watermark == select(func.max(DatasetRow.label_watermark)).scalar_subquery())
            .where(*(column == value for column, value in wanted.items() if value is not None))
        )
        with self._reader.connect() as connection:
            row = connection.execute(query.order_by(*_NEWEST_FIRST).limit(1)).first()
            return row.version if row is not None and row.judged_at is None else None

    def watermark(self) -> int:
        """How far the labels were read into a dataset; 0 before the first."""
        with self._reader.connect() as connection:
            return connection.scalar(select(func.max(DatasetRow.label_watermark))) or 0

    def splits(self) -> dict[str, tuple[str, Split]]:
        """The cluster and split of every text that was ever in a dataset."""
        with self._reader.connect() as connection:
            rows = connection.execute(select(SplitRow.text_id, SplitRow.cluster, SplitRow.split))
            return {row.text_id: (row.cluster, Split(row.split)) for row in rows}

    def mark_judged(self, version: str) -> None:
        """Note that a model of this dataset was judged; the verdict lies beside the model. Raises UnknownVersion."""
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
        """One mapping a version, newest first: its parents, its counts by split and origin, when it was judged."""
        count = select(ExampleRow.dataset, ExampleRow.split, ExampleRow.origin, func.count().label("rows"))
        with snapshot(self._engine).connect() as connection:
            heads = connection.execute(select(DatasetRow.__table__).order_by(*_NEWEST_FIRST))
            found = {row["version"]: {**row, "rows": {}} for row in heads.mappings()}
            grouped = count.group_by(ExampleRow.dataset, ExampleRow.split, ExampleRow.origin)
            for dataset, split, origin, rows in connection.execute(grouped):
                found[dataset]["rows"][f"{origin} {split}"] = rows
        return [{key: _plain(value) for key, value in one.items()} for one in found.values()]


def _renew(connection: Connection, dataset: DatasetVersion) -> None:
    """What a version that is stored already takes over from a dataset of the same rows."""
    same = update(DatasetRow).where(DatasetRow.version == dataset.version)
    connection.execute(
        same.where(DatasetRow.judged_at.is_(None)).values(
            phrasebank_sha256=dataset.phrasebank_sha256,
            phrasebank_source=dataset.phrasebank_source,
            agreement=dataset.agreement,
            policy=dataset.policy,
        )
    )
    connection.execute(
        same.where(DatasetRow.label_watermark < dataset.label_watermark).values(
            label_watermark=dataset.label_watermark, dropped=dict(dataset.dropped)
        )
    )


def _keep_splits(connection: Connection, rows: Iterable[Row], splits: KnownSplits) -> None:
    """Store the splits that are new, and check that no row contradicts the one that its text has for ever."""
    of_rows = {row.text_id: (row.cluster, row.split) for row in rows}
    new = sorted({**splits, **of_rows}.items())
    if new:
        values = [{"text_id": text_id, "cluster": cluster, "split": split} for text_id, (cluster, split) in new]
        connection.execute(insert_new(connection, SplitRow), values)
    for some in batches(of_rows, CHUNK):
        known = select(SplitRow.text_id, SplitRow.split).where(SplitRow.text_id.in_(some))
        for text_id, split in connection.execute(known):
            if split != of_rows[text_id][1]:
                raise BadInput(f"text {text_id} is in the {split} split for ever, not in {of_rows[text_id][1]}")


def _unknown(version: str) -> UnknownVersion:
    return UnknownVersion(f"there is no dataset {version!r}; `finloop datasets` lists them")


def _example(version: str, row: Row) -> dict[str, Any]:
    return {
        "dataset": version,
        "text_id": row.text_id,
        "text": row.text,
        "label": row.label,
        "split": row.split,
        "origin": row.origin,
        "cluster": row.cluster,
    }


def _row(row: RowMapping) -> Row:
    return Row(row["text_id"], row["text"], Sentiment(row["label"]), Split(row["split"]), row["origin"], row["cluster"])


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
