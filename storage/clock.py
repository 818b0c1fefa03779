"""The one place that asks for the time, so that every stored time has a zone."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)
