"""Predictions as JSON, for the columns and documents that hold them whole."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from storage.records import Prediction


def prediction_to_json(prediction: Prediction | None) -> dict[str, Any] | None:
    """Scores and logits by label name, so that no reader has to know an order."""
    if prediction is None:
        return None
    return {**asdict(prediction), "predicted_at": prediction.predicted_at.isoformat()}


def prediction_from_json(value: dict[str, Any] | None) -> Prediction | None:
    """The inverse of prediction_to_json."""
    if value is None:
        return None
    return Prediction(**{**value, "predicted_at": datetime.fromisoformat(value["predicted_at"])})
