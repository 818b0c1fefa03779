"""Dataset versions: immutable rows named by their hash, and the split of every text, which never changes."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, RowMapping, func, insert, select, update

from storage.clock import now
from storage.database import reading
from storage.errors import UnknownVersion
from storage.records import DatasetVersion, Row, Sentiment, Split
from storage.schema import DatasetRow, ExampleRow, SplitRow
from storage.upsert import insert_new

KnownSplits = Mapping[str, tuple[str, Split]]
"""text id -> (cluster, split)."""


def dataset_hash(rows: Iterable[Row]) -> str:
    """The name of a dataset: the SHA-256 over its rows' ids, labels and splits, whatever their order."""
    lines = sorted(f"{row.text_id} {row.label} {row.split}" for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


class Datasets:
    """Stored dataset versions, newest last, and the known splits."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._reader = engine, reading(engine)

    def save(self, dataset: DatasetVersion, splits: KnownSplits) -> None:
        """Store a version with its rows and splits at once; known splits stay as they are.

        Saving a version that is there already changes no row; its label watermark moves forward, because
        labels that changed nothing must not be counted as new for ever.
        """
        with self._engine.begin() as connection:
            made = connection.execute(
                insert_new(connection, DatasetRow).values(
                    version=dataset.version,
                    created_at=dataset.created_at,
                    phrasebank_sha256=dataset.phrasebank_sha256,
                    phrasebank_source=dataset.phrasebank_source,
                    agreement=dataset.agreement,
                    label_watermark=dataset.label_watermark,
                    policy=dataset.policy,
                )
            )
            if made.rowcount == 0:
                connection.execute(
                    update(DatasetRow)
                    .where(DatasetRow.version == dataset.version)
                    .where(DatasetRow.label_watermark < dataset.label_watermark)
                    .values(label_watermark=dataset.label_watermark)
                )
                return
            connection.execute(insert(ExampleRow), [_example(dataset.version, row) for row in dataset.rows])
            if splits:
                values = [
                    {"text_id": text_id, "cluster": cluster, "split": split}
                    for text_id, (cluster, split) in splits.items()
                ]
                connection.execute(insert_new(connection, SplitRow), values)

    def load(self, version: str) -> DatasetVersion:
        """A version with its rows, sorted by text id. Raises UnknownVersion."""
        with self._reader.connect() as connection:
            head = connection.execute(select(DatasetRow.__table__).where(DatasetRow.version == version))
            found = head.mappings().first()
            if found is None:
                raise UnknownVersion(f"there is no dataset {version!r}; `finloop datasets` lists them")
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
        )

    def latest(self) -> str | None:
        """The version created last."""
        with self._reader.connect() as connection:
            return connection.scalar(select(DatasetRow.version).order_by(DatasetRow.created_at.desc()).limit(1))

    def unjudged(self) -> str | None:
        """The newest version, if no model of it was judged yet: a retrain of it was cut short."""
        query = select(DatasetRow.version, DatasetRow.judged_at).order_by(DatasetRow.created_at.desc()).limit(1)
        with self._reader.connect() as connection:
            row = connection.execute(query).first()
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

    def record_verdict(self, version: str, verdict: dict[str, Any]) -> None:
        """Note how the model of this dataset was judged; from then on there is nothing new in it."""
        with self._engine.begin() as connection:
            connection.execute(
                update(DatasetRow).where(DatasetRow.version == version).values(judged_at=now(), verdict=verdict)
            )

    def summaries(self) -> list[dict[str, Any]]:
        """One mapping a version, newest first: its parents, its counts by split and origin, its verdict."""
        count = select(ExampleRow.dataset, ExampleRow.split, ExampleRow.origin, func.count().label("rows"))
        with self._reader.connect() as connection:
            heads = connection.execute(select(DatasetRow.__table__).order_by(DatasetRow.created_at.desc()))
            found = {row["version"]: {**row, "rows": {}} for row in heads.mappings()}
            grouped = count.group_by(ExampleRow.dataset, ExampleRow.split, ExampleRow.origin)
            for dataset, split, origin, rows in connection.execute(grouped):
                found[dataset]["rows"][f"{origin} {split}"] = rows
        return [{key: _plain(value) for key, value in one.items()} for one in found.values()]


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
