"""What goes over the wire of `/predict`: bounded requests, and predictions that name their scores and their model."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from storage.errors import BadInput
from storage.records import LABELS, Prediction, Sentiment
from storage.text import checked

MAX_TEXTS = 256


class PredictRequest(BaseModel):
    """One `text`, or up to 256 `texts`; `logits` asks for the raw outputs too."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn."}]},
    )

    text: str | None = None
    texts: list[str] | None = Field(default=None, min_length=1, max_length=MAX_TEXTS)
    logits: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.text is None) == (self.texts is None):
            raise ValueError('give either "text" or "texts"')
        return self

    def checked_texts(self) -> list[str]:
        """The normalised texts; raises BadInput naming the place of one that no model takes."""
        if self.text is not None:
            return [_checked(self.text, "text")]
        return [_checked(text, f"texts[{index}]") for index, text in enumerate(self.texts or [])]


class NamedScores(BaseModel):
    """A number for each label, by name."""

    positive: float
    neutral: float
    negative: float


class TextPrediction(BaseModel):
    """What the model says of one text: scores sum to one, confidence is the score of the label."""

    label: Sentiment
    scores: NamedScores
    confidence: float
    model_version: str
    logits: NamedScores | None = None


class TextPredictions(BaseModel):
    """The predictions for `texts`, in their order, all from one model version."""

    predictions: list[TextPrediction]
    model_version: str


def to_wire(prediction: Prediction, *, logits: bool = False) -> TextPrediction:
    """The wire form of a stored prediction."""
    return TextPrediction(
        label=prediction.label,
        scores=_named(prediction.scores),
        confidence=prediction.confidence,
        model_version=prediction.model_version,
        logits=_named(prediction.logits) if logits else None,
    )


def _named(values: tuple[float, float, float]) -> NamedScores:
    return NamedScores(**{label.value: value for label, value in zip(LABELS, values, strict=True)})


def _checked(text: str, place: str) -> str:
    try:
        return checked(text)
    except BadInput as error:
        raise BadInput(f"{place}: {error}") from error
