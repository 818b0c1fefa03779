"""Gives a production text its id and its audit flag, the same whether it comes from a file or from the service."""

from dataclasses import dataclass
from datetime import datetime

from storage.records import Text
from storage.text import as_stored, cluster_key, in_audit, text_id


@dataclass(frozen=True, slots=True)
class Intake:
    """Puts a fixed share of the texts aside for the audit, by a salted hash of the cluster key.

    Copies of one news share their fate, because a copy outside the audit could not train beside one inside. The store
    never changes the flag of a text that it has, so an older home keeps every flag that it drew by the text id.
    """

    salt: str
    share: float

    def text(self, words: str, source: str, moment: datetime, published_at: datetime | None = None) -> Text:
        """The text as the store takes it."""
        identity = text_id(words)
        audit = in_audit(cluster_key(words), self.salt, self.share)
        return Text(identity, as_stored(words), source, audit, moment, published_at)
