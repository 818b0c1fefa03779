"""What the six columns of three labels were becomes JSON by name, to the last bit, and back."""

import numpy as np
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from storage.sql import database
from storage.sql.database import migrate, open_database
from storage.texts.sql import SqlTextStore
from tests.schemes import named
from tests.storage.conftest import NOON

COLUMNS = ("positive", "neutral", "negative", "logit_positive", "logit_neutral", "logit_negative")
PLAIN = "text_id, text, source, audit, ingested_at"
ODD = [0.1 + 0.2, 1e-45, 3.4e38, 0.0, -1 / 3, 3.0]


def numbers() -> list[list[float]]:
    """Rows of six as a float32 model gives them, of every size, and some that are doubles."""
    generator = np.random.default_rng(5)
    single = (generator.normal(size=(200, 6)) * 10.0 ** generator.integers(-30, 30, (200, 6))).astype(np.float32)
    rows: list[list[float]] = np.concatenate([single.astype(np.float64), generator.normal(size=(200, 6))]).tolist()
    return [ODD, *rows]


def filled(url: str) -> Engine:
    """A database of before schemes with a text for each row of numbers, and one without a prediction."""
    engine = open_database(url)
    migrate(engine, "0002")
    said = {"label": "neutral", "confidence": 0.5, "margin": 0.25, "model_version": "1", "predicted_at": NOON}
    columns = f"{PLAIN}, {', '.join([*said, *COLUMNS])}"
    marks = ", ".join(f":{name}" for name in (*said, *COLUMNS))
    with engine.begin() as connection:
        for index, row in enumerate(numbers()):
            insert = text(
                f"INSERT INTO text ({columns}) VALUES ('t{index}', 'x', 'feed', false, :predicted_at, {marks})"
            )
            connection.execute(insert, {**said, **dict(zip(COLUMNS, row, strict=True))})
        bare = text(f"INSERT INTO text ({PLAIN}) VALUES ('bare', 'x', 'feed', true, :now)")
        connection.execute(bare, {"now": NOON})
    return engine


def test_scores_and_logits_of_before_are_kept_to_the_last_bit(empty_url: str) -> None:
    engine = filled(empty_url)
    migrate(engine)
    rows = numbers()
    found = SqlTextStore(engine).get(["bare", *(f"t{index}" for index in range(len(rows)))])
    assert found["bare"].prediction is None
    for index, row in enumerate(rows):
        said = found[f"t{index}"].prediction
        assert said is not None
        assert (said.scores, said.logits) == (named(*row[:3]), named(*row[3:]))
        assert (said.label, said.margin, said.predicted_at) == ("neutral", 0.25, NOON)
    engine.dispose()


def test_the_way_back_gives_the_columns_back(empty_url: str) -> None:
    engine = filled(empty_url)
    migrate(engine)
    config = Config()
    config.set_main_option("script_location", f"{database.__file__.rpartition('/')[0]}/migrations")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
        connection.commit()
        row = connection.execute(text(f"SELECT {', '.join(COLUMNS)} FROM text WHERE text_id = 't7'")).one()
    assert list(row) == pytest.approx(numbers()[7])
    engine.dispose()


def test_a_label_may_have_sixty_characters(engine: Engine) -> None:
    with engine.begin() as connection:
        bare = f"INSERT INTO text ({PLAIN}, label) VALUES ('t', 'x', 'f', true, :now, :label)"
        connection.execute(text(bare), {"now": NOON, "label": "x" * 60})
        assert connection.scalar(text("SELECT label FROM text")) == "x" * 60
