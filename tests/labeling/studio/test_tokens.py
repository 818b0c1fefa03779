"""A personal token through what goes wrong: clocks apart, access that is withdrawn, a server that starts again."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest

from labeling.studio.client import Studio
from storage.errors import Refused, Unreachable
from tests.labeling.studio.test_client import a_jwt, a_refresh_token, answering, say

HOUR = 3600.0


class Seller:
    """Sells access for five minutes by a clock of its own, and answers who has bought it."""

    def __init__(self, ahead: float = 0.0) -> None:
        self.ahead, self.sold, self.refuses = ahead, 0, False
        self.takes = True
        self.valid: dict[str, float] = {}

    def withdraw(self) -> None:
        self.valid.clear()

    def reply(self, handler: BaseHTTPRequestHandler, _number: int) -> None:
        now = time.time() + self.ahead
        if handler.path.startswith("/api/token/refresh"):
            if self.refuses:
                return say(handler, 401, b'{"detail": "Token is blacklisted"}')
            self.sold += 1
            access = a_jwt(token_type="access", iat=now, exp=now + 300, jti=self.sold)
            self.valid[access] = now + 300
            return say(handler, 200, json.dumps({"access": access}).encode())
        shown = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self.takes or self.valid.get(shown, 0) < now:
            return say(handler, 401, b'{"detail": "Given token not valid"}')
        return say(handler, 200, b'{"release": "1"}')


@contextmanager
def selling(seller: Seller) -> Iterator[Studio]:
    with answering(seller.reply) as (url, _):
        studio = Studio(url, a_refresh_token())
        yield studio
        studio.close()


@pytest.mark.parametrize("ahead", [-HOUR, 0.0, HOUR])
def test_access_is_bought_once_however_far_the_clocks_are_apart(ahead: float) -> None:
    seller = Seller(ahead)
    with selling(seller) as studio:
        assert [studio.check() for _ in range(3)] == ["1"] * 3
    assert seller.sold == 1


@pytest.mark.parametrize("ahead", [-HOUR, 0.0, HOUR])
def test_access_that_has_ended_is_bought_again(ahead: float) -> None:
    seller = Seller(ahead)
    with selling(seller) as studio:
        studio.check()
        seller.ahead += 360  # six minutes of the server's
        assert studio.check() == "1"
    assert seller.sold == 2


def test_access_is_renewed_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    seller = Seller()
    with selling(seller) as studio:
        studio.check()
        later = time.monotonic() + 280
        monkeypatch.setattr("labeling.studio.tokens.time.monotonic", lambda: later)
        studio.check()
    assert seller.sold == 2


def test_access_that_was_withdrawn_is_bought_again() -> None:
    seller = Seller()
    with selling(seller) as studio:
        studio.check()
        seller.withdraw()
        assert studio.check() == "1"
    assert seller.sold == 2


def test_access_that_is_never_taken_is_refused_and_not_bought_for_ever() -> None:
    seller = Seller()
    with selling(seller) as studio:
        seller.takes = False
        with pytest.raises(Refused, match="token"):
            studio.check()
    assert seller.sold == 2


def test_a_refresh_token_that_is_refused_is_named() -> None:
    seller = Seller()
    seller.refuses = True
    with selling(seller) as studio, pytest.raises(Refused, match="refuses the personal token"):
        studio.check()


def test_a_server_that_starts_again_with_other_keys_sells_new_access() -> None:
    first, second = Seller(), Seller()
    with answering(first.reply) as (url, _):
        studio = Studio(url, a_refresh_token())
        assert studio.check() == "1"
    with pytest.raises(Unreachable):
        studio.check()
    with answering(second.reply, port=int(url.rsplit(":", 1)[1])):
        assert studio.check() == "1"
    assert (first.sold, second.sold) == (1, 1)
    studio.close()


def test_what_is_no_seller_is_named() -> None:
    page = b"<html>hello</html>"
    with (
        answering(lambda handler, _: say(handler, 200, page)) as (url, _),
        pytest.raises(Unreachable, match="not Label"),
    ):
        Studio(url, a_refresh_token()).check()
