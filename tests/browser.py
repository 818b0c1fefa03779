"""A real browser for tests, driven over its debugging protocol: no driver program has to be installed."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect
from websockets.sync.connection import Connection

DEADLINE = 30.0
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"),
)


class Page:
    """One tab."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._number = connection, 0

    def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Send a command of the protocol and return its result."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": arguments}))
        while True:
            message = json.loads(self._connection.recv(timeout=DEADLINE))
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return result["result"].get("value")

    def go(self, url: str) -> None:
        """Open an address and wait until it is loaded."""
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def wait(self, script: str) -> None:
        """Wait until an expression is true in the page."""
        eventually(lambda: self.run(f"Boolean({script})"), script)

    def press(self, key: str, code: str, number: int, *, control: bool = False) -> None:
        """Press and release a key."""
        held = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": 2 if control else 0}
        self.call("Input.dispatchKeyEvent", type="rawKeyDown", **held)
        self.call("Input.dispatchKeyEvent", type="keyUp", **held)


def eventually(met: Callable[[], Any], what: str, seconds: float = DEADLINE) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.1)


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A tab of a headless Chromium with an empty profile; skips where FINLOOP_TEST_BROWSER names none."""
    program = os.environ.get("FINLOOP_TEST_BROWSER")
    if not program:
        pytest.skip("FINLOOP_TEST_BROWSER is not set: no browser to look at the pages with")
    process = subprocess.Popen(
        [program, *QUIET, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        ready = folder / "DevToolsActivePort"
        eventually(lambda: ready.is_file() and ready.read_text().strip(), "the browser's port")
        port = ready.read_text().split()[0]
        tabs = httpx.get(f"http://127.0.0.1:{port}/json/list", trust_env=False).json()
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        with connect(address, max_size=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait(timeout=30)
