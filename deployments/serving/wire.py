"""The JSON of `/predict`: requests of limited size, and predictions with named scores and the model version."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from storage.errors import BadInput
from storage.records import Prediction
from storage.scheme import Scheme
from storage.text import checked

MAX_TEXTS = 256


class PredictRequest(BaseModel):
    """One `text`, or up to 256 `texts`; `logits` asks for the raw outputs too."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = None
    texts: list[str] | None = Field(default=None, min_length=1, max_length=MAX_TEXTS)
    logits: bool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.text is None) == (self.texts is None):
            raise ValueError('give either "text" or "texts"')
        return self

    def checked_texts(self) -> list[str]:
        """The normalised texts. Raises BadInput, which names the place of a text that cannot be used."""
        if self.text is not None:
            return [_checked(self.text, "text")]
        return [_checked(text, f"texts[{index}]") for index, text in enumerate(self.texts or [])]


NamedScores = dict[str, float]
"""A number for each label, by name, in the order of the label scheme."""


class TextPrediction(BaseModel):
    """The prediction for one text: scores sum to one, confidence is the score of the label.

    `truncated`: the text has more tokens than the model reads, so that the model read only a part of the text.
    """

    label: str
    scores: NamedScores
    confidence: float
    model_version: str
    truncated: bool
    logits: NamedScores | None = None


class TextPredictions(BaseModel):
    """The predictions for `texts`, in their order, all from one model version."""

    predictions: list[TextPrediction]
    model_version: str


def to_wire(prediction: Prediction, *, truncated: bool, logits: bool = False) -> TextPrediction:
    """The wire form of a stored prediction."""
    return TextPrediction(
        label=prediction.label,
        scores=dict(prediction.scores),
        confidence=prediction.confidence,
        model_version=prediction.model_version,
        truncated=truncated,
        logits=dict(prediction.logits) if logits else None,
    )


def documented(scheme: Scheme) -> dict[str, Any]:
    """The examples in the documentation of `/predict`: a request and a response with the labels of a scheme."""
    label, others = scheme.names[0], scheme.names[1:]
    scores = {label: 0.9, **dict.fromkeys(others, round(0.1 / len(others), 4))}
    example = TextPrediction(label=label, scores=scores, confidence=0.9, model_version="1", truncated=False)
    shown = example.model_dump(exclude_none=True)
    text = next((case.text for case in scheme.obvious if case.label == label), scheme.question)
    return {
        "openapi_extra": {"requestBody": {"content": {"application/json": {"example": {"text": text}}}}},
        "responses": {200: {"content": {"application/json": {"example": shown}}}},
    }


def _checked(text: str, place: str) -> str:
    try:
        return checked(text)
    except BadInput as error:
        raise BadInput(f"{place}: {error}") from error
