"""Label schemes of a test's own."""

from typing import Any

from storage.scheme import Scheme


def scheme_of(*labels: str, name: str = "topic", **changed: Any) -> Scheme:
    """A scheme of these labels, each with its meaning."""
    fields = {
        "name": name,
        "question": "What is it about?",
        "instructions": "Judge only what the text says.",
        "labels": [{"name": label, "meaning": f"What {label} means."} for label in labels],
    }
    return Scheme.model_validate({**fields, **changed})
