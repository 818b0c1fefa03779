"""Trains and predicts with no server: reads a file, and writes a folder or a file."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.steps.train import Progress, make_model
from flows.wiring.parts import open_parts
from flows.wiring.settings import load_settings
from storage.clock import now
from storage.datasets.rows import dataset_hash
from storage.errors import BadInput
from storage.records import Split
from storage.scheme import Scheme, find_scheme
from storage.text import checked
from storage.texts.bad_lines import BadLine
from storage.texts.paging import batches

if TYPE_CHECKING:
    from training.model.recipe import Recipe

PAGE = 1024


@dataclass(frozen=True, slots=True)
class Trained:
    """What `train` made: a report fit for JSON, the lines of the data that were left out, and sentences about them."""

    report: dict[str, Any]
    bad_lines: tuple[BadLine, ...]
    notes: tuple[str, ...] = ()


def train_offline(
    data: Path,
    output: Path,
    base_model: str | None,
    recipe: "Recipe",
    progress: Progress,
    *,
    unescape: bool = False,
) -> Trained:
    """Train on a CSV or a PhraseBank folder and score the result on test rows that it never saw.

    The model's folder carries a manifest, so that `predict --model DIR` and a registry can check it.
    Raises BadInput before anything is written.
    """
    from storage.models.manifest import write_manifest
    from training.data.merge import MergePolicy, merge
    from training.data.seed import read_seed
    from training.data.trainable import check_trainable
    from training.judge.evaluate import evaluate, rows_as_examples
    from training.model.base_model import find_base_model
    from training.model.classifier import Classifier

    settings = load_settings()
    scheme = find_scheme(settings.scheme)
    policy = MergePolicy()
    try:
        given = read_seed(data, settings.agreement, scheme, unescape=unescape)
        merged = merge(given, (), (), {}, policy)
        check_trainable(merged.rows, scheme.names, str(data), policy, tested=True)
    except BadInput as error:
        raise BadInput(str(error)) from error  # without its part: no setting chose these data
    rows = merged.rows
    test = rows_as_examples(row for row in rows if row.split is Split.TEST)
    base = find_base_model(base_model or settings.base_model, settings.home.resolve() / "downloads")
    made = make_model(rows, dataset_hash(rows), base, recipe, scheme, output, progress)
    scores = evaluate(Classifier.load(output, scheme.names), test).scores()
    metrics = {**made.metrics, "test_macro_f1": scores.macro_f1}
    write_manifest(output, made.model_copy(update={"metrics": metrics}))
    report = {
        "n": scores.n,
        "accuracy": round(scores.accuracy, 4),
        "macro_f1": round(scores.macro_f1, 4),
        **{f"recall {label}": None if one is None else round(one, 4) for label, one in scores.recall.items()},
        "seconds": round(metrics["training_seconds"], 1),
        "base_model": base.name,
        "base_saw_phrasebank": base.exposed,
        "left_out": len(given.bad_lines),
        "dropped": merged.dropped,
    }
    notes = [*given.notes, *(f"{count} dropped: {why}" for why, count in merged.dropped.items())]
    if unknown := [label for label, recall in scores.recall.items() if recall is None]:
        notes.append(f"no test row of {', '.join(unknown)}: the recall is unknown, and macro-F1 says nothing about it")
    return Trained(report, given.bad_lines, tuple(notes))


def predict_offline(texts: Sequence[str], model: str, progress: Progress) -> list[dict[str, Any]]:
    """One row a text: text as it came, label, the scores by name, confidence, truncated (yes or no), model_version."""
    from training.model.classifier import Classifier, to_predictions

    clean = [checked(text) for text in texts]
    folder, version, scheme = find_model(model)
    if not clean:
        return []
    classifier = Classifier.load(folder, scheme.names)
    rows: list[dict[str, Any]] = []
    for page in batches(clean, PAGE):
        predicted = classifier.predict(page)
        predictions = to_predictions(predicted, version, now())
        came = texts[len(rows) : len(rows) + len(page)]
        for text, one, truncated in zip(came, predictions, predicted.truncated.tolist(), strict=True):
            scores = {label: round(score, 6) for label, score in one.scores.items()}
            said = {"text": text, "label": one.label, **scores, "confidence": round(one.confidence, 6)}
            rows.append({**said, "truncated": truncated, "model_version": version})
        progress(len(rows) / len(clean), f"{len(rows):,} of {len(clean):,}")
    return rows


def find_model(name: str) -> tuple[Path, str, Scheme]:
    """The folder of a model, its version, and the label scheme of its home."""
    folder = Path(name)
    if folder.is_dir():
        from storage.models.manifest import MANIFEST_NAME, check_manifest

        if (folder / MANIFEST_NAME).exists():
            check_manifest(folder)
        return folder, folder.resolve().name, find_scheme(load_settings().scheme)
    with open_parts(reading=True) as parts:
        version = parts.registry.resolve(name).version
        return parts.registry.folder(version), version, parts.scheme


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write all rows or none: into another file, which is then renamed. Raises BadInput where that is impossible."""
    aside = path.with_name(f".{path.name}.part")
    try:
        with aside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
