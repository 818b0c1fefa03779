"""Promoted means served: the service loads and checks a version, then the aliases move, then it swaps.

Every step can be repeated. A crash between two leaves an open intent, which sync starts again.
"""

from dataclasses import dataclass

import httpx

from flows.steps.decide import PROMOTE
from flows.wiring.parts import Parts
from storage.errors import Refused, Unreachable

LOAD_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion did; `previous` is None for the first champion."""

    version: str
    previous: str | None


def check_verdict(parts: Parts, version: str) -> None:
    """Refuse a version that the gate did not promote, or promoted over a champion that is no longer the champion."""
    found, champion = parts.registry.resolve(version), parts.registry.champion()
    begun = parts.outbox.get(f"{PROMOTE}:{found.version}")
    if begun is not None and begun.closed_at is None and begun.payload.get("forced"):
        return  # a rollback that was cut short: it was meant to pass, and sync starts it again without a word of that
    verdict, current = found.verdict, champion.version if champion else None
    if verdict is None or not verdict.promoted:
        why = f"version {found.version} was not promoted by the gate; `finloop models` shows why"
    elif current not in (verdict.champion, found.version):
        why = f"version {found.version} was judged against {verdict.champion}, but the champion is {current}"
    else:
        return
    parts.outbox.give_up(f"{PROMOTE}:{found.version}", why)  # another try would be refused in the same way
    raise Refused(why)


def promote(parts: Parts, name: str, *, forced: bool = False) -> Promotion:
    """Have the service load and check a version, then move the aliases, then have it swap.

    Raises UnknownVersion, CorruptModel's message as Refused where the service will not load it, or Unreachable;
    until the service has loaded it nothing has changed. `forced` says that the gate's verdict does not matter, also
    when the promotion is started again after a crash.
    """
    version = parts.registry.resolve(name).version
    key = f"{PROMOTE}:{version}"
    begun = parts.outbox.get(key)
    forced = forced or (begun is not None and begun.closed_at is None and bool(begun.payload.get("forced")))
    payload = {"version": version, "forced": forced}
    if not parts.outbox.add(key, PROMOTE, payload):
        parts.outbox.reopen(key, payload)
    try:
        _admin(parts, "load", version)
        previous = parts.registry.aliases().get("champion")
        if previous is not None and previous != version:
            parts.registry.set_alias("previous", previous)
        parts.registry.set_alias("champion", version)
        _admin(parts, "swap", version)
    except (Refused, Unreachable) as error:
        parts.outbox.failed(key, str(error))
        raise
    _overtake_others(parts, key, forced)
    parts.outbox.close(key)
    return Promotion(version, parts.registry.aliases().get("previous"))


def _overtake_others(parts: Parts, key: str, forced: bool) -> None:
    """End the trouble of promotions that were intended before this one.

    Whoever forces one, as a rollback does, wants none that was under way: sync must not bring it about after all.
    """
    mine = parts.outbox.get(key)
    for intent in parts.outbox.troubled(PROMOTE):
        if mine is not None and intent.created_at < mine.created_at:
            parts.outbox.overtake(intent.key)
    for intent in parts.outbox.open(PROMOTE) if forced else ():
        parts.outbox.close(intent.key)


def _admin(parts: Parts, action: str, version: str) -> None:
    url = parts.settings.needed("serving_url")
    headers = {"Authorization": f"Bearer {parts.settings.needed('admin_token')}"}
    try:
        answer = httpx.post(f"{url}/admin/{action}", json={"version": version}, headers=headers, timeout=LOAD_SECONDS)
    except httpx.HTTPError as error:
        raise Unreachable(
            "serving app", url, "FINLOOP_SERVING_URL", str(error), "Start it with `finloop up`, or correct the address."
        ) from error
    if answer.is_error:
        raise Refused(f"the serving app will not {action} version {version}: {_detail(answer)}")


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("detail", answer.text))
    except ValueError:
        return f"{answer.status_code} {answer.text[:200]}"
