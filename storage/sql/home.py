"""What a home keeps about itself: its own id, and its label scheme.

The labels, datasets and models of a home mean nothing under another scheme. The id tells two homes apart on servers
that they share.
"""

import uuid
from typing import Any

from sqlalchemy import Engine, Row, select

from storage.errors import BadInput
from storage.scheme import Scheme
from storage.sql.database import reading
from storage.sql.schema import HomeRow
from storage.sql.upsert import insert_new


def keep_scheme(engine: Engine, scheme: Scheme) -> str | None:
    """Keep the scheme of a new home. Returns None, or name and labels of the other scheme that the home keeps.

    Where two processes start a home at once, the home keeps the scheme of the first.
    """
    row = {
        "id": 1,
        "identity": uuid.uuid4().hex,
        "scheme": scheme.name,
        "hash": scheme.hash,
        "labels": list(scheme.names),
    }
    if _kept(engine) is None:
        with engine.begin() as connection:
            connection.execute(insert_new(connection, HomeRow).values(row))
    return other_scheme(engine, scheme)


def other_scheme(engine: Engine, scheme: Scheme) -> str | None:
    """Name and labels of the other scheme that the home keeps, or None. Nothing is written."""
    kept = _kept(engine)
    if kept is None or kept.hash == scheme.hash:
        return None
    return f"{kept.scheme} ({', '.join(kept.labels)})"


def home_identity(engine: Engine) -> str:
    """The id of this home: 32 hexadecimal digits, drawn when the home kept its scheme, and never changed.

    A copied home has the id of its original. Raises BadInput where the home has kept no scheme yet.
    """
    if (kept := _kept(engine)) is None:
        raise BadInput("this home keeps no label scheme yet, so it has no id")
    return str(kept.identity)


def _kept(engine: Engine) -> Row[Any] | None:
    with reading(engine).connect() as connection:
        return connection.execute(select(HomeRow.__table__)).one_or_none()
