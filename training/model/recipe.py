"""How a model is trained, as a form in Prefect's dashboard and as a hash that names a training."""

import hashlib
import json
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LATER = {"links": "read"}
"""Fields that came after models were trained, with the value that those models had: the hash leaves this value out."""


class Recipe(BaseModel):
    """How a model is trained. Every field changes the result, so `hash` covers all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=4, ge=1, le=20, description="How often the training passes over all rows.")
    learning_rate: float | None = Field(
        default=None,
        ge=1e-6,
        le=1e-2,
        description="Highest learning rate; unset: 1e-4 for a model below 50 million parameters, else 5e-5.",
    )
    head_rate: float = Field(
        default=10, ge=1, le=100, description="The new layers learn at the learning rate times this number."
    )
    batch_size: int = Field(default=16, ge=1, le=256, description="Rows in one training step.")
    weight_decay: float = Field(default=0.01, ge=0, le=0.5, description="Weight decay of the optimizer AdamW.")
    warmup: float = Field(default=0.1, ge=0, le=0.5, description="Share of the steps in which the learning rate rises.")
    label_weight: int = Field(
        default=3, ge=1, le=10, description="How many times each annotator's label is repeated in an epoch, at most."
    )
    label_share: float = Field(
        default=0.2, ge=0, le=0.9, description="Labels are repeated only up to this share of the rows in an epoch."
    )
    self_training: int = Field(
        default=3_000,
        ge=0,
        le=100_000,
        description="Texts without a label that the trained model learns from in a second training; 0: none.",
    )
    links: Literal["read", "word"] = Field(
        default="word", description="Whether the model reads links as they are, or one word in place of any link."
    )
    limit: int | None = Field(default=None, ge=3, description="Train on this many rows at most: a quick trial.")
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="Fixes every random choice of the training.")

    def hash(self) -> str:
        """SHA-256 of the fields as canonical JSON. Recipes of earlier models keep their hashes."""
        fields = dict(field for field in self.model_dump(mode="json").items() if field not in LATER.items())
        canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def hash_on(self, base_model: str) -> str:
        """SHA-256 of recipe and base model's name: with the dataset, these two decide the result of a training."""
        return hashlib.sha256(f"{self.hash()} {base_model}".encode()).hexdigest()
