"""Turns a recipe into the arguments of the transformers Trainer on this machine.

Training computes in bf16 where that pays (training/model/precision.py).
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.model.recipe import Recipe


def trainer_arguments(recipe: "Recipe", checkpoints: Path) -> Any:
    """The TrainingArguments of a recipe on this machine's device."""
    from transformers import TrainingArguments

    from training.model.classifier import choose_device
    from training.model.precision import bf16_pays

    device = choose_device()
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=64,
        warmup_steps=recipe.warmup,  # below 1 it is a share of all steps
        seed=recipe.seed,
        data_seed=recipe.seed,
        bf16=bf16_pays(device),
        use_cpu=device == "cpu",
        dataloader_pin_memory=device != "cpu",
        train_sampling_strategy="group_by_length",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        save_only_model=True,
        load_best_model_at_end=True,
        metric_for_best_model="macro_f1",
        greater_is_better=True,
        logging_steps=20,
        disable_tqdm=not sys.stderr.isatty(),
        report_to="none",
    )
