"""A work folder with all its parts, tiny models and no server: what flows and verbs are tested on."""

import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from deployments.cli.status import said_problem, standing
from flows.steps.dataset import build_dataset
from flows.steps.decide import decided_before, record_decision
from flows.wiring.parts import Parts
from flows.wiring.policies import RetrainPolicy
from flows.wiring.settings import Settings
from storage.clock import now
from storage.labels.projects import Project
from storage.models.manifest import Manifest, write_manifest
from storage.models.registry import ModelVersion, Registry
from storage.models.verdict import Decision, Verdict
from storage.records import Annotation, AnnotationKey, DatasetVersion, Purpose, Text
from storage.text import text_id
from tests.schemes import LABELS
from training.judge.gate import GatePolicy
from training.model.recipe import Recipe

TOKEN = "let me in"
NEWS = {"positive": "rose", "neutral": "meeting held", "negative": "fell"}
POLICY = RetrainPolicy(recipe=Recipe(epochs=1, learning_rate=5e-3, batch_size=32), gate=GatePolicy(min_audit_rows=1))
"""Trains a tiny model in about two seconds."""


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the developer's own settings, and a working directory without a .env."""
    for name in os.environ:
        if name.startswith("FINLOOP_") and not name.startswith("FINLOOP_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def tiny_phrasebank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ninety sentences in the PhraseBank's own form, too unlike one another to be near-duplicates."""
    folder = tmp_path_factory.mktemp("phrasebank")
    lines = [f"{sentence(index, word)}@{label}" for label, word in NEWS.items() for index in range(30)]
    (folder / "Sentences_50Agree.txt").write_text("\n".join(lines) + "\n", encoding="latin-1")
    return folder


def sentence(index: int, word: str) -> str:
    """A sentence of its own for every index and word."""
    return f"{uuid.uuid5(uuid.NAMESPACE_OID, f'{index} {word}').hex} {word} in quarter {index}"


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database with its schema and our model name, to be copied: making one takes seconds."""
    folder = tmp_path_factory.mktemp("registry")
    Registry(f"sqlite:///{folder / 'mlflow.db'}", folder / "models", LABELS).prepare()
    return folder / "mlflow.db"


@pytest.fixture
def parts(
    clean_environment: None, tmp_path: Path, empty_registry: Path, tiny_phrasebank: Path, tiny_base_folder: Path
) -> Iterator[Parts]:
    """The parts of an empty home of the test's own."""
    home = tmp_path / "home"
    home.mkdir()
    copy_registry(empty_registry, home)
    made = Parts(
        Settings(
            home=home,
            seed_data=str(tiny_phrasebank),
            base_model=str(tiny_base_folder),
            retrain_after=3,
            audit_share=0.5,
            admin_token=SecretStr(TOKEN),
        )
    )
    yield made
    made.close()


def copy_registry(template: Path, home: Path) -> None:
    """An empty registry in `home`, whose artifacts lie there too."""
    shutil.copyfile(template, home / "mlflow.db")
    with sqlite3.connect(home / "mlflow.db") as database:
        place = (home.resolve() / "models").as_uri()
        database.execute("UPDATE experiments SET artifact_location = ? WHERE name = 'finloop'", (place,))
    database.close()


def register(
    parts: Parts, model: Path, dataset: str = "data", recipe: str = "recipe", shift: float = 0.0
) -> ModelVersion:
    """Register a copy of a model as if it was trained on that dataset; versions differ in what they answer."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(model, parts.settings.home / uuid.uuid4().hex)
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"] = weights["classifier.bias"] + shift * weights["classifier.bias"].new_tensor([1, 0, -1])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    parents: dict[str, Any] = {"dataset_version": dataset, "recipe": {}, "recipe_hash": recipe, "metrics": {}}
    manifest = Manifest(
        base_model="tiny", exposed=False, scheme="sentiment", labels=LABELS, created_at=now(), **parents
    )
    write_manifest(folder, manifest)
    return parts.registry.register(folder)


def a_verdict(candidate: str, *, promoted: bool = True, champion: str | None = None, dataset: str = "data") -> Verdict:
    """A verdict on a version that no gate has judged."""
    decision = Decision.PROMOTE if promoted else Decision.REFUSE
    return Verdict(
        decision=decision, reason="so it is", checks=(), champion=champion, candidate=candidate, dataset=dataset
    )


def recipe_hash(parts: Parts, policy: RetrainPolicy = POLICY) -> str:
    """What names a training, beside its dataset."""
    return policy.recipe.hash_on(parts.base_model.name)


def build(parts: Parts, policy: RetrainPolicy = POLICY) -> DatasetVersion:
    """The dataset that a retrain would train on."""
    return build_dataset(parts.labels, parts.texts, parts.datasets, parts.seed, policy.merge, parts.scheme)


def is_new(parts: Parts, dataset: DatasetVersion, policy: RetrainPolicy = POLICY) -> bool:
    """Whether a retrain would train on a dataset."""
    return not decided_before(dataset, recipe_hash(parts, policy), parts.registry, parts.datasets, parts.problems)


def registered(parts: Parts, model: Path, dataset: DatasetVersion) -> ModelVersion:
    """A model as if POLICY's recipe had trained it on a dataset."""
    return register(parts, model, dataset.version, recipe_hash(parts))


def decide(parts: Parts, dataset: DatasetVersion, verdict: Verdict) -> None:
    """Record a verdict as a retrain does."""
    record_decision(verdict, dataset, parts.registry, parts.datasets, parts.outbox, parts.problems)


def judged(parts: Parts, model: Path, promoted: bool = True) -> DatasetVersion:
    """The newest dataset, with a model that was judged."""
    dataset = build(parts)
    version = registered(parts, model, dataset).version
    decide(parts, dataset, a_verdict(version, promoted=promoted, dataset=dataset.version))
    return dataset


def problems(parts: Parts) -> list[str]:
    """The problems that `finloop status` names, in words."""
    return [said_problem(problem) for problem in standing(parts).problems]


def put_text(parts: Parts, words: str, *, audit: bool = False) -> Text:
    """A production text in the store."""
    text = Text(text_id(words), words, "feed", audit, now())
    parts.texts.add([text])
    return text


def answer(parts: Parts, words: str, label: str | None = "positive", purpose: Purpose = Purpose.SELECT) -> str:
    """Put a text before annotators and have one answer it; None is a skip. Returns the text's id."""
    text = put_text(parts, words, audit=purpose is Purpose.AUDIT)
    parts.tasks.reserve([text], purpose, uuid.uuid4().hex, "test", timedelta(minutes=1))
    number = int(text.text_id[:8], 16)
    parts.tasks.mark_sent(Project("http://label.studio", 1), {text.text_id: number})
    key = AnnotationKey("http://label.studio", 1, number)
    parts.labels.record(Annotation(key, number, text.text_id, label, "ann@example.org", now()))
    return text.text_id
