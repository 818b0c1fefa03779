"""A label store of a test's own beside the session's Label Studio, where each test has a project of its own."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import Engine

from labeling.answer.consensus import consensus
from labeling.ask.batch import Batch, choose, choose_audit
from labeling.ask.candidates import gather
from labeling.ask.compose import Composition, compose
from labeling.ask.pool import Pool, Positions
from labeling.ask.rules import BatchRules
from labeling.ask.send import send_batch
from labeling.ask.strategies.registry import find_strategy
from labeling.studio.client import Studio
from labeling.studio.interface import choice
from labeling.studio.marker import Owner
from labeling.studio.project import ensure_project
from storage.labels.annotations import Labels
from storage.labels.inbox import Inbox
from storage.labels.projects import Project, Projects
from storage.labels.tasks import Tasks
from storage.records import LabelTask, Prediction, Purpose, Text
from storage.scheme import Scheme
from storage.sql.database import migrate, open_database
from storage.text import text_id
from storage.texts.sql import SqlTextStore
from storage.work.leases import Leases
from storage.work.outbox import Outbox
from tests.fixtures_label_studio import LabelStudioServer
from tests.schemes import SENTIMENT
from training.data.clusters import near_any

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:9/webhooks/label-studio"
SECRET = "a-secret-for-tests"
VERSION = "7"
PLAIN = BatchRules(random_first=0, random_share=0, clip_share=0, quota=0, min_letters=0)
"""A batch of nothing but what its strategy chooses."""


@dataclass
class LabelStore:
    """The stores on one database, and texts with predictions to ask about."""

    home: Path
    engine: Engine
    scheme: Scheme = SENTIMENT
    owner: Owner = field(default_factory=lambda: Owner("tests", uuid.uuid4().hex))

    def __post_init__(self) -> None:
        self.tasks, self.labels = Tasks(self.engine), Labels(self.engine, consensus)
        self.inbox, self.outbox = Inbox(self.engine), Outbox(self.engine)
        self.projects, self.leases = Projects(self.engine), Leases(self.engine)
        self.texts = SqlTextStore(self.engine)

    def ingest(self, count: int, audit: bool = False) -> list[Text]:
        """New texts, those outside the audit with margins that rise in the order of the list."""
        texts = [a_text(index, audit, self.scheme) for index in range(count)]
        self.texts.add(texts)
        self.texts.record_predictions((text.text_id, text.prediction) for text in texts if text.prediction)
        return texts

    def reserve(self, count: int, purpose: Purpose = Purpose.SELECT) -> Batch:
        """A batch of new texts."""
        self.ingest(count, audit=purpose is Purpose.AUDIT)
        if purpose is Purpose.AUDIT:
            return choose_audit(self.texts, self.tasks, count, seed=0)
        return self.choose(count)

    def choose(
        self,
        size: int,
        version: str = VERSION,
        strategy: str = "margin",
        rules: BatchRules = PLAIN,
        uncertain: int = 5000,
    ) -> Batch:
        """Reserve what a strategy chooses, as the step of select does, without embeddings."""
        candidates = gather(self.texts, self.tasks, self.scheme.names, version, 0, uncertain)
        draw, found = np.random.default_rng(0), find_strategy(strategy)

        def composed(rows: Positions, count: int) -> Composition:
            part = candidates.at(rows)
            aside = [*self.tasks.asked().values(), *(text.text for text in self.texts.random_audit(seed=0))]
            pool = Pool(part.probabilities)
            return compose(pool, part.facts, found, rules, count, draw, near_any, aside=aside)

        return choose(self.texts, self.tasks, candidates, composed, size)


@dataclass
class Loop(LabelStore):
    """A label store whose tasks go to a project on the real server."""

    studio: Studio = field(kw_only=True)
    token: str = field(kw_only=True)

    def project(self, webhook_url: str = NOWHERE) -> Project:
        """The test's own project; its webhooks go nowhere unless an address is given."""
        return ensure_project(self.studio, self.projects, self.leases, self.scheme, webhook_url, SECRET, self.owner)

    def sent(self, project: Project, count: int, purpose: Purpose = Purpose.SELECT) -> list[LabelTask]:
        """New texts, put before annotators."""
        batch = self.reserve(count, purpose)
        return send_batch(self.studio, project, self.tasks, self.scheme, batch.batch_id, batch.owner)

    def answer(self, task: LabelTask, label: str | None) -> int:
        """What an annotator's click does; None skips. Returns the annotation's id."""
        result = [] if label is None else [choice(self.scheme, label)]
        assert task.task_id is not None
        return int(self.studio.api.annotations.create(task.task_id, result=result, was_cancelled=label is None).id)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What a page or a script may send there, and the response."""
        headers = {"Authorization": f"Token {self.token}"}
        response = httpx.post(self.studio.url + path, json=body, headers=headers, trust_env=False, timeout=30)
        return dict(response.raise_for_status().json())

    def delete(self, path: str) -> None:
        """What a person may delete there; finloop itself deletes only tasks that it withdraws."""
        headers = {"Authorization": f"Token {self.token}"}
        httpx.delete(self.studio.url + path, headers=headers, trust_env=False, timeout=30).raise_for_status()

    def there(self, project: Project) -> list[dict[str, Any]]:
        """Every task of the project as Label Studio has it, with predictions and annotations."""
        fields = "id,data,annotations,predictions,result,model_version,score"
        return list(self.studio.tasks(project.id, fields, answers=True))


def a_choice(label: str) -> dict[str, Any]:
    """An answer as Label Studio keeps it."""
    return choice(SENTIMENT, label)


def a_text(index: int, audit: bool, scheme: Scheme) -> Text:
    """A text of its own, with a prediction whose margin grows with the index."""
    margin = min(0.9, index / 1000)
    other = (1 - margin) / len(scheme.names)
    scores = dict.fromkeys(scheme.names, other) | {scheme.names[1]: other + margin}
    logits = dict.fromkeys(scheme.names, 0.0) | {scheme.names[1]: 0.3}
    prediction = Prediction(scheme.names[1], scores, logits, other + margin, margin, VERSION, NOON)
    text = f"Shares of {uuid.uuid4().hex} moved by {index} per cent"
    return Text(text_id(text), text, "feed", audit, NOON, prediction=prediction)


@pytest.fixture
def engine_of(tmp_path: Path) -> Iterator[Callable[[Path], Engine]]:
    """Opens the label database of a work folder, its schema up to date."""
    opened: list[Engine] = []

    def open_it(home: Path) -> Engine:
        engine = open_database(f"sqlite:///{home / 'finloop.db'}")
        migrate(engine)
        opened.append(engine)
        return engine

    yield open_it
    for engine in opened:
        engine.dispose()


@pytest.fixture
def label_store(tmp_path: Path, engine_of: Callable[[Path], Engine]) -> LabelStore:
    """An empty label store, without any server."""
    return LabelStore(tmp_path, engine_of(tmp_path))


@pytest.fixture(scope="session")
def studio(label_studio: LabelStudioServer) -> Iterator[Studio]:
    """The session's server, with its legacy token."""
    connection = Studio(label_studio.url, label_studio.token)
    yield connection
    connection.close()


@pytest.fixture
def loop(tmp_path: Path, engine_of: Callable[[Path], Engine], studio: Studio, label_studio: LabelStudioServer) -> Loop:
    """An empty label store beside the real Label Studio."""
    return Loop(tmp_path, engine_of(tmp_path), studio=studio, token=label_studio.token)
