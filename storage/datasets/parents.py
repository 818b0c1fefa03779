"""The parents of datasets: the data that a dataset was made from, one parent for each origin of its rows.

The label watermark is stored with the dataset, not with a parent, because it also grows when new labels change no row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from sqlalchemy import Connection, Select, delete, insert, select

from storage.datasets.rows import dataset_hash
from storage.records import Parent, ParentKind, Row
from storage.sql.schema import ParentRow

LABEL = "label"
"""The origin of the rows that annotators labelled."""


def annotators(rows: Iterable[Row], policy: str) -> Parent:
    """The annotators' labels as a parent of the dataset with these rows; its hash covers the annotators' rows only."""
    own = dataset_hash(row for row in rows if row.origin == LABEL)
    return Parent(ParentKind.LABELS, "annotators' labels", own, policy, LABEL)


def in_words(parents: Iterable[Parent], watermark: int) -> str:
    """The parents of a dataset as one phrase for people."""
    said = {
        ParentKind.PHRASEBANK: "PhraseBank {}",
        ParentKind.CSV: "CSV {}",
        ParentKind.LABELS: f"{{}} up to change {watermark}",
    }
    return ", ".join(said[parent.kind].format(parent.name) for parent in parents)


def put_parents(connection: Connection, version: str, parents: Sequence[Parent]) -> None:
    """Replace the parents of a dataset."""
    connection.execute(delete(ParentRow).where(ParentRow.dataset == version))
    if parents:
        connection.execute(insert(ParentRow), [{"dataset": version, **asdict(parent)} for parent in parents])


def parents_by_dataset(connection: Connection, version: str | None = None) -> dict[str, tuple[Parent, ...]]:
    """Dataset version -> its parents, seed data before labels; of one dataset only where `version` is given."""
    query = select(ParentRow.__table__).order_by(ParentRow.kind == ParentKind.LABELS, ParentRow.origin)
    if version is not None:
        query = query.where(ParentRow.dataset == version)
    found: dict[str, tuple[Parent, ...]] = {}
    for row in connection.execute(query).mappings():
        parent = Parent(ParentKind(row["kind"]), row["name"], row["hash"], row["policy"], row["origin"])
        found[row["dataset"]] = (*found.get(row["dataset"], ()), parent)
    return found


def grown_from(seed: Parent) -> Select[tuple[str]]:
    """A query for the dataset versions that were made from seed data of this kind and hash, wherever its files lay."""
    return select(ParentRow.dataset).where(ParentRow.kind == seed.kind, ParentRow.hash == seed.hash)
