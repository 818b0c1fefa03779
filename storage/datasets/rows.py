"""The rows of datasets. The hash of its rows names a dataset, so the same rows are the same dataset everywhere."""

import hashlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select

from storage.records import Row, Split
from storage.sql.schema import ExampleRow


def dataset_hash(rows: Iterable[Row]) -> str:
    """The name of a dataset: the SHA-256 over its rows' ids, labels, splits and origins, in any order of the rows.

    The origin counts, because training repeats the annotators' rows: the same rows of another origin train another
    model.
    """
    lines = sorted(f"{row.text_id} {row.label} {row.split} {row.origin}" for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def put_rows(connection: Connection, version: str, rows: Iterable[Row]) -> None:
    """Store the rows of a dataset that has none yet."""
    values = [_values(version, row) for row in rows]
    if values:
        connection.execute(insert(ExampleRow), values)


def rows_of(connection: Connection, version: str) -> tuple[Row, ...]:
    """The rows of a dataset, sorted by text id."""
    query = select(ExampleRow.__table__).where(ExampleRow.dataset == version).order_by(ExampleRow.text_id)
    return tuple(_row(row) for row in connection.execute(query).mappings())


def counts(connection: Connection) -> dict[str, dict[str, int]]:
    """How many rows each dataset has of each origin and split: version -> `origin split` -> rows."""
    columns = (ExampleRow.dataset, ExampleRow.split, ExampleRow.origin)
    found: dict[str, dict[str, int]] = {}
    for dataset, split, origin, rows in connection.execute(select(*columns, func.count()).group_by(*columns)):
        found.setdefault(dataset, {})[f"{origin} {split}"] = rows
    return found


def _values(version: str, row: Row) -> dict[str, Any]:
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
    return Row(row["text_id"], row["text"], row["label"], Split(row["split"]), row["origin"], row["cluster"])
