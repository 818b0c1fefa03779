"""Trains a base model on labelled rows with the transformers Trainer, and writes a classifier folder.

Training starts from the base model, never from the last champion, so that a version depends on its dataset and recipe
alone.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from storage.errors import BadInput
from storage.records import Row, Split
from training.model.arguments import trainer_arguments
from training.model.base_model import BaseModel
from training.model.head import output_labels
from training.model.optimizer import parameter_groups
from training.model.progress import Progress, reporter, silence
from training.model.reading import Encoded, Reading, encode, tokens_read
from training.model.recipe import Recipe
from training.model.self_training import EPOCHS, Soft, cross_entropy, rehearsal, said_of, target
from training.model.soundness import check_tokens, rehearse
from training.model.untrained import open_untrained
from training.model.vocabulary import UsedTokens

SMALL = 50_000_000
"""A model with fewer parameters gets the larger rate, which it needs when rows are few: MiniLM (23 million) on 945
sentences reached a macro-F1 of .77, .76 and .69 with the larger rate (three seeds), .63 and .70 with the smaller."""
SMALL_RATE, LARGE_RATE = 1e-4, 5e-5

READINGS = {"read": Reading.HEAD_AND_TAIL, "word": Reading.LINKS_AS_WORD}
"""How new models read, by the recipe's `links`. All read both ends of a long text (benchmarks/long_texts.py)."""


@dataclass(frozen=True, slots=True)
class Finetuned:
    """A trained model's folder (safetensors, tokenizer, configuration), its validation metrics, and how long it took.

    `labels` are in the order of the model's outputs, `unlabelled` the texts from which it learnt without a label.
    """

    folder: Path
    labels: tuple[str, ...]
    metrics: dict[str, float]
    seconds: float
    unlabelled: tuple[str, ...] = ()


def finetune(
    rows: Sequence[Row],
    base: BaseModel,
    recipe: Recipe,
    output: Path,
    labels: Sequence[str],
    progress: Progress | None = None,
    reading: Reading | None = None,
    unlabelled: Sequence[str] = (),
) -> Finetuned:
    """Train on the train rows, keep the epoch with the best macro-F1 on the validation rows, write it to `output`.

    `labels` are all labels of the scheme: a label without a row gets an output too. `output` appears only when it is
    complete; checkpoints lie beside it during the training. The order of `rows` does not matter.

    Where annotators' labels are among the rows, the model then learns from the first `recipe.self_training` of the
    `unlabelled` texts what it says of them itself, but never from more texts than rows, which bounds the time. The
    caller sees to it that none of the texts judges (audit, test rows).
    Raises BadInput where `output` is not empty, or where there is no train row or no validation row.
    """
    started = time.monotonic()
    train, validation = _training_rows(rows, recipe), [row for row in rows if row.split is Split.VALIDATION]
    if not train or not validation:
        raise BadInput(f"training needs train and validation rows; there are {len(train)} and {len(validation)}")
    if recipe.limit is not None and (lost := _labels(rows) - {row.label for row in train}):
        raise BadInput(f"a limit of {recipe.limit} rows leaves none of {', '.join(sorted(lost))}; give a larger limit")
    if output.exists() and any(output.iterdir()):
        raise BadInput(f"{output} is not empty; name another folder for the model")
    output.parent.mkdir(parents=True, exist_ok=True)
    read_as = reading or READINGS[recipe.links]
    workplace = output.parent / f".{output.name}.training"  # a fixed name, so that the next try clears a killed one
    shutil.rmtree(workplace, ignore_errors=True)
    try:
        with silence():
            job = _Job(base.folder, base.name, recipe, workplace / "model", tuple(labels), progress, read_as)
            metrics = _train(job, train, validation)
            asked = any(row.origin == "label" for row in train)
            stream = tuple(unlabelled)[: min(recipe.self_training, len(train))] if asked else ()
            if stream:
                metrics |= _learn_from_stream(job, train, validation, stream)
        job.output.replace(output)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    return Finetuned(output, output_labels(output), metrics, time.monotonic() - started, stream)


def _labels(rows: Sequence[Row]) -> set[str]:
    return {row.label for row in rows if row.split is Split.TRAIN}


def _training_rows(rows: Sequence[Row], recipe: Recipe) -> list[Row]:
    """The train rows sorted by id (the Trainer shuffles them by seed), with the labels repeated."""
    ordered = sorted((row for row in rows if row.split is Split.TRAIN), key=lambda row: row.text_id)
    if recipe.limit is not None:
        ordered = ordered[: recipe.limit]  # ids are hashes: the first of them are a random sample
    labels = sum(row.origin == "label" for row in ordered)
    weight = _label_weight(labels, len(ordered) - labels, recipe)
    return [row for row in ordered for _ in range(weight if row.origin == "label" else 1)]


def _label_weight(labels: int, others: int, recipe: Recipe) -> int:
    """How many times each label is repeated: few labels count among many rows, many labels do not dominate."""
    if not labels:
        return 1
    within_share = int(recipe.label_share / (1 - recipe.label_share) * others / labels)
    return max(1, min(recipe.label_weight, within_share))


@dataclass(frozen=True, slots=True)
class _Job:
    """One run of the Trainer: from the model in `start`, which messages call `name`, to `output`."""

    start: Path
    name: str
    recipe: Recipe
    output: Path
    labels: tuple[str, ...]
    progress: Progress | None
    reading: Reading


def _learn_from_stream(
    job: _Job, train: Sequence[Row], validation: Sequence[Row], stream: Sequence[str]
) -> dict[str, float]:
    """Go on from the trained model with the annotators' labels, a part of the other rows, and texts of the stream."""
    teacher = job.output.rename(job.output.with_name("teacher"))
    epochs = job.recipe.model_copy(update={"epochs": EPOCHS})
    second = replace(job, start=teacher, recipe=epochs, progress=_of_stream(job.progress))
    soft = said_of(teacher, stream, job.labels)
    found = _train(second, rehearsal(train, job.recipe.seed), validation, soft)
    kept = ("validation_macro_f1", "validation_accuracy")
    return {name: found[name] for name in kept} | {"unlabelled_texts": float(len(stream))}


def _of_stream(progress: Progress | None) -> Progress | None:
    """The progress of the second training, which begins at nothing again and says so."""
    if progress is None:
        return None
    return lambda share, message: progress(share, f"learning from the stream, {message}")


def _train(job: _Job, train: Sequence[Row], validation: Sequence[Row], soft: Sequence[Soft] = ()) -> dict[str, float]:
    """Run the Trainer and leave the best epoch in the job's output."""
    from transformers import DataCollatorWithPadding, Trainer, set_seed
    from transformers.trainer_callback import PrinterCallback

    recipe, labels = job.recipe, job.labels
    set_seed(recipe.seed)  # before the model is made: its head is random
    arguments = trainer_arguments(recipe, job.output.with_name("checkpoints"))
    model, tokenizer, new = open_untrained(job.start, labels, job.name, job.reading)
    parts: tuple[Sequence[Row | Soft], ...] = ([*train, *soft], validation)
    encoded = [_encode(part, tokenizer, model, job.reading) for part in parts]
    check_tokens(tokenizer, encoded[0], job.name)
    rehearse(model, tokenizer, encoded[0], job.name)
    learnt, held = (
        _examples(part, read, model.config.label2id, labels, soft=bool(soft))
        for part, read in zip(parts, encoded, strict=True)
    )
    model.to(arguments.device)
    rate = recipe.learning_rate or (SMALL_RATE if model.num_parameters() < SMALL else LARGE_RATE)
    tokens = UsedTokens(model, [*learnt, *held], tokenizer.pad_token_id)
    groups = parameter_groups(model, new, rate, head_rate=recipe.head_rate, weight_decay=recipe.weight_decay)
    adamw, options = Trainer.get_optimizer_cls_and_kwargs(arguments, model)
    trainer = Trainer(
        model=model,
        args=arguments,
        optimizers=(adamw(groups, **options), None),
        train_dataset=tokens.renumber(learnt),
        eval_dataset=tokens.renumber(held),
        data_collator=DataCollatorWithPadding(tokenizer),
        preprocess_logits_for_metrics=_logits_alone,
        compute_metrics=partial(_validation_metrics, labels=labels),
        compute_loss_func=cross_entropy if soft else None,
        callbacks=[reporter(job.progress)] if job.progress else None,
    )
    trainer.remove_callback(PrinterCallback)
    outcome = trainer.train()
    tokens.put_back()
    model.float().save_pretrained(job.output)
    tokenizer.save_pretrained(job.output)
    evaluations = [entry for entry in trainer.state.log_history if "eval_macro_f1" in entry]
    best = max(evaluations, key=lambda entry: entry["eval_macro_f1"])
    return {
        "validation_macro_f1": float(best["eval_macro_f1"]),
        "validation_accuracy": float(best["eval_accuracy"]),
        "best_epoch": float(round(best["epoch"])),
        "train_loss": float(outcome.training_loss),
        "train_rows": float(len(train)),
        "validation_rows": float(len(validation)),
    }


def _encode(texts: Sequence[Row | Soft], tokenizer: Any, model: Any, reading: Reading) -> Encoded:
    """Token ids without padding: each batch is padded to its own longest text."""
    return encode(tokenizer, [one.text for one in texts], tokens_read(model), reading)


def _examples(
    texts: Sequence[Row | Soft], encoded: Encoded, outputs: Mapping[str, int], labels: Sequence[str], *, soft: bool
) -> list[dict[str, Any]]:
    """The model's inputs of each text, with the number of its output; or with a target for each output where `soft`."""
    wanted: list[Any] = (
        [target(one, labels, outputs) for one in texts]
        if soft
        else [outputs[one.label] for one in texts if isinstance(one, Row)]
    )
    return [
        {**{name: column[index] for name, column in encoded.columns.items()}, "labels": wanted[index]}
        for index in range(len(texts))
    ]


def _logits_alone(outputs: Any, _: Any) -> Any:
    """The logits; T5 and BART give their encoder's states beside them."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


def _validation_metrics(evaluated: Any, labels: Sequence[str]) -> dict[str, float]:
    """Accuracy and macro-F1; both are the same in any order of the labels."""
    from training.judge.metrics import score_codes

    truth = evaluated.label_ids if evaluated.label_ids.ndim == 1 else evaluated.label_ids.argmax(axis=1)
    scores = score_codes(truth, evaluated.predictions.argmax(axis=1), labels)
    return {"macro_f1": scores.macro_f1, "accuracy": scores.accuracy}
