"""The parameters of runs: bounded values that Prefect's dashboard shows as a form and its server enforces."""

from pydantic import BaseModel, ConfigDict, Field

from labeling.ask.rules import BatchRules
from storage.models.worth import WhenTrained
from training.data.merge import MergePolicy
from training.judge.gate import GatePolicy
from training.model.recipe import Recipe


class Policy(BaseModel):
    """A run's parameters. Unknown names are refused, so that a typing error never silently means the default."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ScorePolicy(Policy):
    """How texts are scored."""

    batch_size: int = Field(32, ge=1, le=512, description="How many texts the model reads at once.")
    fast: bool = Field(
        True, description="Compute in bf16 where the hardware has it and a sample of the texts gets the same answers."
    )
    withdraw_above: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Take back open tasks that nobody has touched and that a strategy chose, where the champion's "
        "margin has risen above this (.9, say). Their texts are not asked about again. Empty: no task is taken back.",
    )


class AuditPolicy(Policy):
    """How many texts of the audit share are asked about."""

    size: int = Field(200, ge=1, le=5000, description="How many texts of the audit share wait for an answer.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="The seed of the random order.")


class SelectPolicy(Policy):
    """How many texts are asked about to learn from, and which."""

    size: int = Field(100, ge=1, le=5000, description="How many texts wait for an answer.")
    strategy: str = Field(
        "",
        max_length=200,
        description="The query strategy: the name of one, or package.module:function. Empty: FINLOOP_STRATEGY.",
    )
    rules: BatchRules = Field(default_factory=BatchRules, description="What a batch is made of.")
    fewer_when_stable: bool = Field(
        True, description="Ask for half as many where labels no longer change the model, by the champion's comparison."
    )
    seed: int = Field(0, ge=0, le=2**31 - 1, description="The seed of all chance; each select draws anew.")
    unscored_share: float = Field(
        0.05, ge=0, le=1, description="With more texts that the champion has not scored, they are scored first."
    )


class SyncPolicy(Policy):
    """When, and how often, unfinished promotions and retrains are started again."""

    retry_after_seconds: int = Field(60, ge=10, le=3600, description="Seconds until unfinished work is started again.")
    attempts: int = Field(3, ge=1, le=10, description="How many attempts unfinished work gets.")


class RetrainPolicy(Policy):
    """How the dataset is merged, the model trained and judged."""

    merge: MergePolicy = Field(default_factory=MergePolicy, description="How seed data and labels become rows.")
    recipe: Recipe = Field(default_factory=Recipe, description="How the model is trained.")
    gate: GatePolicy = Field(default_factory=GatePolicy, description="What a candidate must reach.")
    yardstick: WhenTrained = Field(
        "doubled",
        description="When to train a second model on the random share of the labels, to tell what the gain costs at "
        "random: doubled is with twice the labels of the last one. It doubles the time of a retrain; a deployment does "
        "not wait for it.",
    )
