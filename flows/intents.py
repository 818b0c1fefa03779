"""Every intent that finloop knows: the only file that spells an intent's kind, key, payload or Prefect event.

| intent  | opened by                                | closed by                    | replayed by                  |
|---------|------------------------------------------|------------------------------|------------------------------|
| Retrain | receiver and sync: enough new labels     | its event, once Prefect took | sync, which sends it again   |
|         |                                          | it                           |                              |
| Resume  | sync: an interrupted retrain             | its event, as above          | sync: the next attempt       |
| Deploy  | the gate's decision (attempt 1), sync    | its event, as above          | sync: the next attempt       |
| Promote | the gate's decision, the deploy flow     | the deploy flow, once the    | sync, which opens the Deploy |
|         |                                          | version is served            | of the next attempt          |
| Score   | the deploy flow, once a version is       | its event, as above          | sync, which sends it again   |
|         | served                                   |                              |                              |

Every home stores keys and kinds: with another spelling, old effects would be intended again.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from storage.work.outbox import Entry


@dataclass(frozen=True, slots=True)
class Event:
    """The Prefect event of an intent, as the triggers in prefect.yaml expect it."""

    name: str
    resource: str


ENOUGH_LABELS = Event("finloop.labels.enough", "finloop.label-store")
NEW_CHALLENGER = Event("finloop.model.challenger", "finloop.registry")
SERVED = Event("finloop.model.served", "finloop.registry")


@dataclass(frozen=True, slots=True)
class Retrain:
    """Start a retrain with the labels that came after a watermark; `labels` says how many there are so far."""

    watermark: int
    labels: int

    kind: ClassVar[str] = "enough-labels"
    event: ClassVar[Event | None] = ENOUGH_LABELS

    @property
    def key(self) -> str:
        """One retrain for a watermark."""
        return f"retrain:{self.watermark}"

    @property
    def payload(self) -> dict[str, Any]:
        """The watermark and the number of labels; the run counts the labels again."""
        return {"watermark": self.watermark, "labels": self.labels}


@dataclass(frozen=True, slots=True)
class Resume:
    """Start a retrain again that ended without a verdict: on its dataset, or with the labels after a watermark."""

    dataset: str | None
    """The first 16 characters of the dataset's version, or all of them; None where the run never built one."""

    watermark: int
    attempt: int

    kind: ClassVar[str] = "resume"
    event: ClassVar[Event | None] = ENOUGH_LABELS

    @property
    def subject(self) -> str:
        """The interrupted dataset, or the watermark where there is no dataset."""
        return self.dataset[:16] if self.dataset else f"{self.watermark}"

    @property
    def key(self) -> str:
        """One run for an attempt."""
        return f"resume:{self.subject}:{self.attempt}"

    @property
    def payload(self) -> dict[str, Any]:
        """The number of the last label change that a dataset had read."""
        return {"watermark": self.watermark}


@dataclass(frozen=True, slots=True)
class Deploy:
    """Start the deploy flow of a version."""

    version: str
    attempt: int

    kind: ClassVar[str] = "challenger"
    event: ClassVar[Event | None] = NEW_CHALLENGER

    @property
    def key(self) -> str:
        """One run for an attempt."""
        return f"deploy:{self.version}:{self.attempt}"

    @property
    def payload(self) -> dict[str, Any]:
        """The version to serve."""
        return {"version": self.version}


@dataclass(frozen=True, slots=True)
class Promote:
    """Have a version served as the champion; a `forced` version needs no verdict of the gate (a rollback)."""

    version: str
    forced: bool = False

    kind: ClassVar[str] = "promote"
    event: ClassVar[Event | None] = None

    @property
    def key(self) -> str:
        """One promotion at a time for a version."""
        return f"promote:{self.version}"

    @property
    def payload(self) -> dict[str, Any]:
        """The version to serve, and whether it needs a verdict of the gate."""
        return {"version": self.version, "forced": self.forced}


@dataclass(frozen=True, slots=True)
class Score:
    """Score the texts by a version that is served now; `promoted` is the moment its promotion was intended."""

    version: str
    promoted: datetime

    kind: ClassVar[str] = "score"
    event: ClassVar[Event | None] = SERVED

    @property
    def key(self) -> str:
        """One run for a promotion: a repeated promotion adds none, a later promotion of the version does."""
        return f"score:{self.version}:{self.promoted.astimezone(UTC).isoformat()}"

    @property
    def payload(self) -> dict[str, Any]:
        """The version; the run scores by the champion of its own moment."""
        return {"version": self.version}


Known = Retrain | Resume | Deploy | Promote | Score
"""Every intent there is."""


def read(entry: Entry) -> Known | None:
    """The intent that an entry of the outbox was made from; None for a kind that this code does not know."""
    said = entry.payload
    match entry.kind:
        case Retrain.kind:
            return Retrain(said["watermark"], said["labels"])
        case Resume.kind:
            _, subject, attempt = entry.key.split(":")
            dataset = None if subject == f"{said['watermark']}" else subject
            return Resume(dataset, said["watermark"], int(attempt))
        case Deploy.kind:
            return Deploy(said["version"], int(entry.key.rpartition(":")[2]))
        case Promote.kind:  # in older homes, the gate's intents have no `forced`
            return Promote(said["version"], bool(said.get("forced")))
        case Score.kind:
            return Score(said["version"], datetime.fromisoformat(entry.key.split(":", 2)[2]))
    return None
