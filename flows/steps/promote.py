"""Promotes a version: the service loads and checks the version, then the aliases move, then the service swaps.

Every step can be repeated. A crash between two steps leaves an open intent, and sync starts the promotion again.
"""

from dataclasses import dataclass

import httpx

from flows.intents import Promote, Score, read
from storage.errors import Part, Refused, Unreachable
from storage.models.registry import Registry
from storage.work.outbox import Outbox

LOAD_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Promotion:
    """The promoted version and the champion before it; `previous` is None for the first champion."""

    version: str
    previous: str | None


@dataclass(frozen=True, slots=True)
class Service:
    """The serving app's admin calls."""

    url: str
    token: str

    def load(self, version: str) -> None:
        """Have the app load and check a version beside the served version. Raises Refused or Unreachable."""
        self._call("load", version)

    def swap(self, version: str) -> None:
        """Have the app serve a loaded version. Raises Refused or Unreachable."""
        self._call("swap", version)

    def _call(self, action: str, version: str) -> None:
        headers, body = {"Authorization": f"Bearer {self.token}"}, {"version": version}
        try:
            response = httpx.post(f"{self.url}/admin/{action}", json=body, headers=headers, timeout=LOAD_SECONDS)
        except httpx.HTTPError as error:
            raise Unreachable(Part.SERVING, self.url, str(error)) from error
        if response.is_error:
            raise Refused(f"the serving app will not {action} version {version}: {_detail(response)}")


def check_verdict(registry: Registry, outbox: Outbox, name: str) -> None:
    """Raise Refused unless the gate promoted the version, and over the current champion. A refusal is final.

    The champion itself passes too. An interrupted rollback passes without a verdict, because sync starts every
    promotion again in the same way, without `force`. Raises UnknownVersion for an unknown name.
    """
    found, champion = registry.resolve(name), registry.aliases().get("champion")
    promote = Promote(found.version)
    if _is_forced(outbox, promote):
        return
    verdict = found.verdict
    if verdict is None or not verdict.promoted:
        why = f"version {found.version} was not promoted by the gate; `finloop models` shows why"
    elif champion not in (verdict.champion, found.version):
        why = f"version {found.version} was judged against {verdict.champion}, but the champion is {champion}"
    else:
        return
    outbox.give_up(promote, why)  # another try would be refused in the same way
    raise Refused(why)


def promote(registry: Registry, outbox: Outbox, service: Service, name: str, *, forced: bool = False) -> Promotion:
    """Have the service load and check a version, then move the aliases, then have the service swap.

    Raises UnknownVersion, Unreachable, or Refused where the service will not load the version. Nothing changes before
    the service has loaded it. `forced`: no verdict is needed, also where sync starts the promotion again.
    """
    version = registry.resolve(name).version
    intent = Promote(version, forced or _is_forced(outbox, Promote(version)))
    outbox.renew(intent)
    try:
        service.load(version)
        previous = registry.aliases().get("champion")
        # A champion that somebody set in MLflow may be no version of ours: no rollback could lead to it.
        ours = [one.version for one in registry.versions()]
        if previous is not None and previous != version and previous in ours:
            registry.set_alias("previous", previous)
        registry.set_alias("champion", version)
        service.swap(version)
    except (Refused, Unreachable) as error:
        outbox.failed(intent, str(error))
        raise
    _intend_scores(outbox, intent)  # before the promotion is closed: a crash here repeats the promotion, and this
    _overtake_others(outbox, intent)
    outbox.done(intent)
    return Promotion(version, registry.aliases().get("previous"))


def _is_forced(outbox: Outbox, promote: Promote) -> bool:
    """Whether a forced promotion of the version is open."""
    begun = outbox.get(promote.key)
    return begun is not None and begun.closed_at is None and read(begun) == Promote(promote.version, forced=True)


def _intend_scores(outbox: Outbox, intent: Promote) -> None:
    """Intend the scores by the served version: select compares the scores of one version only."""
    begun = outbox.get(intent.key)
    if begun is not None:
        outbox.intend(Score(intent.version, begun.created_at))


def _overtake_others(outbox: Outbox, intent: Promote) -> None:
    """Clear the errors of promotions that were intended before this one.

    A forced promotion, such as a rollback, also closes all open promotions: sync must not start them again.
    """
    mine = outbox.get(intent.key)
    for other in outbox.troubled(Promote.kind):
        if mine is not None and other.created_at < mine.created_at:
            outbox.overtake(other)
    for other in outbox.open(Promote.kind) if intent.forced else ():
        outbox.done(other)


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json().get("detail", response.text))
    except ValueError:
        return f"{response.status_code} {response.text[:200]}"
