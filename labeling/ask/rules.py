"""The rules of a batch: a form in Prefect's dashboard, and the bounds that its server enforces."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class BatchRules(BaseModel):
    """What a batch is made of. Unknown names are refused, so that a typing error never silently means the default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    random_first: int = Field(
        300, ge=0, le=100_000, description="All texts are drawn at random until the champion has learnt so many labels."
    )
    random_share: float = Field(0.15, ge=0, le=1, description="Share of a batch that is drawn at random.")
    clip_share: float = Field(
        0.02, ge=0, le=0.5, description="Share of the texts, those of lowest margin, that the strategy never sees."
    )
    quota: float = Field(
        0.1,
        ge=0,
        le=0.5,
        description="Least share of a batch that each predicted label gets, where it has enough texts.",
    )
    per_source: float = Field(1.0, gt=0, le=1, description="Most that one source gets of a batch, as a share.")
    per_day: float = Field(1.0, gt=0, le=1, description="Most that one day gets of a batch, as a share.")
    min_letters: int = Field(10, ge=0, le=1000, description="Texts of fewer letters are not asked about.")
    script_share: float = Field(
        0.5, ge=0, le=1, description="Least share of a text's letters in the script of the seed data; 0 takes any."
    )
    language_certainty: float = Field(
        0.9,
        ge=0.5,
        le=1,
        description="Texts that are by more than this sure to be in none of the seed data's languages are not asked "
        "about; 1 takes any.",
    )

    def due(self, learnt: int) -> Self:
        """The rules for a champion that learnt from so many annotators' labels.

        A champion that knows too few labels of this stream is sure of the wrong things, and a batch by its doubt is
        worth less than one at random (docs/labels.md).
        """
        return self if learnt >= self.random_first else self.model_copy(update={"random_share": 1.0})
