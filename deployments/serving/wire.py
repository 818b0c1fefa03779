"""The JSON of `/predict`: requests of limited size, and predictions with named scores and the model version."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deployments.web.bodies import Limit
from deployments.web.json_route import OUTSIDE
from storage.errors import BadInput
from storage.records import Prediction
from storage.scheme import Scheme
from storage.text import MAX_CHARACTERS, checked

MAX_TEXTS = 256
LONGEST_ESCAPE = len(r"\ud83d\ude00")
"""Bytes of a character in JSON, at most."""
BODY = Limit(
    MAX_TEXTS * MAX_CHARACTERS * LONGEST_ESCAPE + OUTSIDE,
    f"{MAX_TEXTS} texts of {MAX_CHARACTERS:,} characters, each escaped in JSON",
)
FORM = Limit(MAX_CHARACTERS * len("%F0%9F%98%80") + OUTSIDE, f"a text of {MAX_CHARACTERS:,} characters")
"""The body of the page's form."""
MAX_RAW = 5 * MAX_CHARACTERS
"""Characters of a text before its white space is collapsed: normalising may make a text 18 times as long."""


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

    def place(self, index: int) -> str:
        """What the text at `index` is called in the request."""
        return "text" if self.texts is None else f"texts[{index}]"

    def characters(self) -> int:
        """Characters of all texts."""
        return sum(map(len, [self.text or "", *(self.texts or [])]))

    def checked_texts(self) -> list[str]:
        """The normalised texts. Raises BadInput, which names the place of a text that cannot be used."""
        texts = [self.text] if self.text is not None else self.texts or []
        return [_checked(text, self.place(index)) for index, text in enumerate(texts)]


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
        if len(text) > MAX_RAW:
            raise BadInput(f"the text has {len(text):,} characters, more than {MAX_CHARACTERS:,}")
        return checked(text)
    except BadInput as error:
        raise BadInput(f"{place}: {error}") from error
