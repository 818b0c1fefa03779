"""The form of a text in Elasticsearch. The mapping is strict, so that a misspelt field is an error, not a new field."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from storage.records import Prediction, Text
from storage.texts.predictions import prediction_from_json, prediction_to_json

SETTINGS: Mapping[str, Any] = {"number_of_shards": 1, "auto_expand_replicas": "0-1"}
"""One shard holds millions of news texts and counts exactly; a replica as soon as there is a second node."""

NAMED: Mapping[str, Any] = {"type": "object", "enabled": False}
"""A number for each label, kept as given and never searched: any label scheme fits."""

MAPPING: Mapping[str, Any] = {
    "dynamic": "strict",
    "properties": {
        "text_id": {"type": "keyword"},
        "text": {"type": "text"},
        "source": {"type": "keyword"},
        "audit": {"type": "boolean"},
        "ingested_at": {"type": "date"},
        "published_at": {"type": "date"},
        "prediction": {
            "properties": {
                "label": {"type": "keyword"},
                "scores": NAMED,
                "logits": NAMED,
                # Doubles: a float would round margins, and ties would fall differently than in the SQL store.
                "confidence": {"type": "double"},
                "margin": {"type": "double"},
                "model_version": {"type": "keyword"},
                "predicted_at": {"type": "date"},
            }
        },
    },
}


def to_document(text: Text) -> dict[str, Any]:
    """The stored form of a text; fields without a value are left out."""
    document: dict[str, Any] = {
        "text_id": text.text_id,
        "text": text.text,
        "source": text.source,
        "audit": text.audit,
        "ingested_at": text.ingested_at.isoformat(),
    }
    if text.published_at is not None:
        document["published_at"] = text.published_at.isoformat()
    if text.prediction is not None:
        document.update(prediction_document(text.prediction))
    return document


def prediction_document(prediction: Prediction) -> dict[str, Any]:
    """The fields of a document that a new prediction replaces."""
    return {"prediction": prediction_to_json(prediction)}


def to_text(document: Mapping[str, Any]) -> Text:
    """The inverse of `to_document`."""
    published = document.get("published_at")
    return Text(
        text_id=document["text_id"],
        text=document["text"],
        source=document["source"],
        audit=document["audit"],
        ingested_at=datetime.fromisoformat(document["ingested_at"]),
        published_at=datetime.fromisoformat(published) if published else None,
        prediction=prediction_from_json(document.get("prediction")),
    )
