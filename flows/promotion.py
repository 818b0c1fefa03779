"""Promoted means served: the service loads and checks a version, then the aliases move, then it swaps.

Every step can be repeated. A crash between two leaves an open intent, which sync starts again.
"""

from dataclasses import dataclass

import httpx

from flows.candidate import PROMOTE, champion_of
from flows.wiring import Parts
from storage.errors import Refused, Unreachable

LOAD_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion did; `previous` is None for the first champion."""

    version: str
    previous: str | None


def check_verdict(parts: Parts, version: str) -> None:
    """Refuse a version that the gate did not promote, or promoted over a champion that is no longer the champion."""
    verdict = parts.registry.resolve(version).verdict
    champion = champion_of(parts)
    if verdict is None or not verdict["promoted"]:
        raise Refused(f"version {version} was not promoted by the gate; `finloop models` shows why")
    current = champion.version if champion else None
    if current not in (verdict["champion"], version):
        raise Refused(f"version {version} was judged against {verdict['champion']}, but the champion is {current}")


def promote(parts: Parts, name: str) -> Promotion:
    """Have the service load and check a version, then move the aliases, then have it swap.

    Raises UnknownVersion, CorruptModel's message as Refused where the service will not load it, or Unreachable;
    until the service has loaded it nothing has changed.
    """
    version = parts.registry.resolve(name).version
    key = f"{PROMOTE}:{version}"
    if not parts.outbox.add(key, PROMOTE, {"version": version}):
        parts.outbox.reopen(key)
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
    parts.outbox.close(key)
    return Promotion(version, parts.registry.aliases().get("previous"))


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
