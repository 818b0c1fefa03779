"""Production texts in SQLite or PostgreSQL, with the same contract as the Elasticsearch store.

Writers commit per batch in the order of the text ids, so that two processes that store the same texts wait for each
other and never deadlock. Readers page by key and hold no transaction between two pages.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Engine, RowMapping, bindparam, func, select, true, tuple_, update

from storage.records import Prediction, Text
from storage.sql.database import reading
from storage.sql.schema import TextRow
from storage.sql.upsert import insert_new
from storage.texts.paging import batches, random_id, seeded_order
from storage.texts.store import Added, Counts

BATCH = 1_000
PAGE = 500
NO_PREDICTION: Mapping[str, Any] = dict.fromkeys(
    column.name
    for column in TextRow.__table__.columns
    if column.name not in {"text_id", "text", "source", "audit", "ingested_at", "published_at"}
)


class SqlTextStore:
    """A TextStore on the tables of `storage.sql.schema`. The caller disposes of the engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reading(engine)

    def describe(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def add(self, texts: Iterable[Text]) -> Added:
        """Store the new texts; each batch is committed before the next is read."""
        new = known = 0
        for batch in batches(texts, BATCH):
            rows = sorted(map(_to_row, batch), key=lambda row: str(row["text_id"]))
            with self._engine.begin() as connection:
                # The inserted ids come back, because databases differ in how they count rows of an executemany.
                statement = insert_new(connection, TextRow).returning(TextRow.text_id)
                inserted = len(connection.execute(statement, rows).all())
            new += inserted
            known += len(batch) - inserted
        return Added(new, known)

    def record_predictions(self, predictions: Iterable[tuple[str, Prediction]]) -> int:
        """One prepared update for each batch; the last prediction of a text in the batch wins."""
        statement = (
            update(TextRow)
            .where(TextRow.text_id == bindparam("of_text"))
            .values({name: bindparam(name) for name in NO_PREDICTION})
        )
        changed = 0
        for batch in batches(predictions, BATCH):
            newest = sorted(dict(batch).items())
            rows = [{"of_text": identity, **asdict(prediction)} for identity, prediction in newest]
            with self._engine.begin() as connection:
                changed += connection.execute(statement, rows).rowcount
        return changed

    def get(self, text_ids: Collection[str]) -> dict[str, Text]:
        """By primary key, a page of ids at a time."""
        found: dict[str, Text] = {}
        for page in batches(dict.fromkeys(text_ids), PAGE):
            for text in self._select(TextRow.text_id.in_(page)):
                found[text.text_id] = text
        return found

    def unscored(self, model_version: str) -> Iterator[Text]:
        """By ascending text id; texts scored meanwhile fall out of the pages still to come."""
        other = TextRow.model_version.is_distinct_from(model_version)
        page = self._select(other, limit=PAGE)
        while page:
            yield from page
            page = self._select(other, TextRow.text_id > page[-1].text_id, limit=PAGE)

    def lowest_margin(self, model_version: str) -> Iterator[Text]:
        """By (margin, text id), each page starting after the last row of the one before."""
        key = tuple_(TextRow.margin, TextRow.text_id)
        mine = (TextRow.audit.is_(False), TextRow.model_version == model_version)
        page = self._select(*mine, order=(TextRow.margin, TextRow.text_id), limit=PAGE)
        while page:
            yield from page
            last = page[-1]
            after = key > (last.prediction.margin if last.prediction else 0.0, last.text_id)
            page = self._select(*mine, after, order=(TextRow.margin, TextRow.text_id), limit=PAGE)

    def random_texts(self, model_version: str, seed: int) -> Iterator[Text]:
        """By ascending text id from the seed's id on, then from the least id up to there."""
        mine = (TextRow.audit.is_(False), TextRow.model_version == model_version)
        start = random_id(seed)
        for some in (TextRow.text_id >= start, TextRow.text_id < start):
            page = self._select(*mine, some, limit=PAGE)
            while page:
                yield from page
                page = self._select(*mine, some, TextRow.text_id > page[-1].text_id, limit=PAGE)

    def random_audit(self, seed: int) -> Iterator[Text]:
        """All ids of the audit share in the seed's order, their texts fetched a page at a time."""
        with self._reader.begin() as connection:
            audit = connection.execute(select(TextRow.text_id).where(TextRow.audit.is_(True))).scalars().all()
        for page in batches(seeded_order(audit, seed), PAGE):
            texts = self.get(page)
            yield from (texts[identity] for identity in page if identity in texts)

    def counts(self) -> Counts:
        """One pass over the table, grouped by version and audit."""
        grouped = select(TextRow.model_version, TextRow.audit, func.count()).group_by(
            TextRow.model_version, TextRow.audit
        )
        with self._reader.begin() as connection:
            rows = connection.execute(grouped).all()
        predicted: dict[str, int] = {}
        for version, _, number in rows:
            if version is not None:
                predicted[version] = predicted.get(version, 0) + number
        return Counts(sum(row[2] for row in rows), sum(row[2] for row in rows if row[1]), predicted)

    def close(self) -> None:
        """Do nothing: every page gives its connection back to the caller's engine."""

    def _select(
        self, *conditions: ColumnElement[bool], order: tuple[Any, ...] = (TextRow.text_id,), limit: int | None = None
    ) -> list[Text]:
        statement = select(*TextRow.__table__.columns).where(true(), *conditions).order_by(*order).limit(limit)
        with self._reader.begin() as connection:
            return [_to_text(row) for row in connection.execute(statement).mappings()]


def _to_row(text: Text) -> dict[str, Any]:
    return {
        "text_id": text.text_id,
        "text": text.text,
        "source": text.source,
        "audit": text.audit,
        "ingested_at": text.ingested_at,
        "published_at": text.published_at,
        **(asdict(text.prediction) if text.prediction else NO_PREDICTION),
    }


def _to_text(row: RowMapping) -> Text:
    return Text(
        text_id=row["text_id"],
        text=row["text"],
        source=row["source"],
        audit=row["audit"],
        ingested_at=row["ingested_at"],
        published_at=row["published_at"],
        prediction=_to_prediction(row) if row["model_version"] is not None else None,
    )


def _to_prediction(row: RowMapping) -> Prediction:
    return Prediction(**{name: row[name] for name in NO_PREDICTION})
