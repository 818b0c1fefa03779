"""Forgets failed webhooks: once Label Studio itself was read, what such a webhook was about is known."""

from collections.abc import Collection
from datetime import datetime

from labeling.studio.payloads import annotations_of
from storage.labels.inbox import Inbox

READ_LATER = "a later look at Label Studio read what this webhook was about"


def forget_failed(inbox: Inbox, before: datetime, unusable: Collection[int]) -> int:
    """Ignore the failed webhooks that came before a reading of Label Studio began. Returns their number.

    A webhook about an annotation that the reading could not use either (`unusable`) stays failed.
    """
    forgotten = 0
    for row in inbox.failed():
        if row.received_at < before and not annotations_of(row.payload) & set(unusable):
            inbox.overtake(row.id, READ_LATER)
            forgotten += 1
    return forgotten
