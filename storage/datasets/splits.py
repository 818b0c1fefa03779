"""The split of every text that was ever in a dataset. A text keeps its split for ever, so no test row trains later."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, select

from storage.errors import BadInput
from storage.records import Row, Split
from storage.sql.schema import SplitRow
from storage.sql.upsert import insert_new
from storage.texts.paging import batches

KnownSplits = Mapping[str, tuple[str, Split]]
"""text id -> (cluster, split)."""

CHUNK = 500


def known_splits(connection: Connection) -> dict[str, tuple[str, Split]]:
    """The cluster and split of every text that was ever in a dataset."""
    rows = connection.execute(select(SplitRow.text_id, SplitRow.cluster, SplitRow.split))
    return {row.text_id: (row.cluster, Split(row.split)) for row in rows}


def keep_splits(connection: Connection, rows: Iterable[Row], splits: KnownSplits) -> None:
    """Store the new splits. Raises BadInput where a row has another split than its text had before."""
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
