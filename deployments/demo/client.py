"""Sends five requests a second while models are swapped, to show that none fails and no reply mixes two models."""

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from storage.errors import UnknownVersion

RATE = 5.0
TIMEOUT = 5.0
TOLERANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: when it came (monotonic seconds), the text, the version that it names, and its scores by label."""

    moment: float
    text: str
    version: str
    scores: Mapping[str, float]


@dataclass
class Traffic:
    """The requests of a client: how many were sent, and how each ended."""

    sent: int = 0
    failures: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def versions(self) -> list[str]:
        """The versions that the replies name, in the order of their first replies."""
        return list(dict.fromkeys(reply.version for reply in self.replies))

    def first_reply_of(self, version: str) -> float | None:
        """When the first reply of a version came, in monotonic seconds; None where there is none."""
        return next((reply.moment for reply in self.replies if reply.version == version), None)


class Client:
    """Sends requests during a `with` block, without retries, each in a thread: a late reply delays no other request."""

    def __init__(self, serving_url: str, texts: Sequence[str]) -> None:
        self.traffic = Traffic()
        self._http = httpx.Client(base_url=serving_url, timeout=TIMEOUT)
        self._texts = itertools.cycle(texts)
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._sending = threading.Thread(target=self._send_all, daemon=True)
        self._requests: list[threading.Thread] = []

    def __enter__(self) -> "Client":
        self._sending.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._sending.join()
        for request in self._requests:
            request.join()
        self._http.close()

    def _send_all(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due += 1 / RATE
            request = threading.Thread(target=self._ask, args=(next(self._texts),), daemon=True)
            self._requests = [one for one in self._requests if one.is_alive()] + [request]
            request.start()

    def _ask(self, text: str) -> None:
        with self._lock:
            self.traffic.sent += 1
        try:
            response = self._http.post("/predict", json={"text": text})
            response.raise_for_status()
            body = response.json()
            version = str(body["model_version"])
            scores = {str(label): float(score) for label, score in body["scores"].items()}
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            with self._lock:
                self.traffic.failures.append(f"{type(error).__name__}: {error}")
            return
        with self._lock:
            self.traffic.replies.append(Reply(time.monotonic(), text, version, scores))


Scores = Callable[[str, Sequence[str]], Sequence[Mapping[str, float]]]
"""(version, texts) -> the scores of each text by that version, computed offline."""


def mixed(traffic: Traffic, offline: Scores) -> int:
    """How many replies differ from the offline scores of the version that they name, by more than 1e-4.

    Every reply that names an unknown version counts.
    """
    wrong = 0
    for version in traffic.versions():
        replies = [reply for reply in traffic.replies if reply.version == version]
        texts = list(dict.fromkeys(one.text for one in replies))
        try:
            right = dict(zip(texts, offline(version, texts), strict=True))
        except UnknownVersion:
            wrong += len(replies)
            continue
        for reply in replies:
            expected = right[reply.text]
            # No comparison with NaN is true, so a NaN counts as wrong.
            near = (abs(reply.scores[label] - expected[label]) <= TOLERANCE for label in expected)
            wrong += not (reply.scores.keys() == expected.keys() and all(near))
    return wrong
