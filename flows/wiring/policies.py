"""What a run may be told: bounded values that Prefect's dashboard shows as a form and the server enforces."""

from pydantic import BaseModel, ConfigDict, Field

from training.data.merge import MergePolicy
from training.judge.gate import GatePolicy
from training.model.finetune import Recipe


class Policy(BaseModel):
    """A run's parameters; unknown names are refused, so that a typing error does not silently mean the default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ScorePolicy(Policy):
    """How texts are scored."""

    batch_size: int = Field(32, ge=1, le=512, description="texts in one forward pass")


class AuditPolicy(Policy):
    """How many texts of the audit share are asked about."""

    size: int = Field(200, ge=1, le=5000, description="texts sent, drawn at random from the audit share")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="fixes the draw")


class SelectPolicy(Policy):
    """How many texts are asked about to learn from: those of lowest margin."""

    size: int = Field(100, ge=1, le=5000, description="texts sent, those of lowest margin first")


class SyncPolicy(Policy):
    """How a reconciliation goes about its work."""

    retry_after_seconds: int = Field(60, ge=10, le=3600, description="age at which an unfinished promotion is retried")
    attempts: int = Field(3, ge=1, le=10, description="how often a promotion or a killed retrain is started again")


class RetrainPolicy(Policy):
    """How the dataset is merged, the model trained and judged."""

    merge: MergePolicy = Field(default_factory=MergePolicy, description="seed data and labels to rows and splits")
    recipe: Recipe = Field(default_factory=Recipe, description="how the model is trained")
    gate: GatePolicy = Field(default_factory=GatePolicy, description="what a candidate must reach")
