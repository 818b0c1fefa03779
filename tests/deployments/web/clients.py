"""Clients that behave badly: raw sockets, so that each byte and each silence is chosen by the test."""

import json
import socket
from contextlib import suppress
from typing import Any


class Raw:
    """One connection; `read` gives the status and the JSON of the next response."""

    def __init__(self, address: str) -> None:
        host, port = address.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=30)
        self._input = self._socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def head(self, line: str, *headers: str) -> None:
        self.send("\r\n".join([f"{line} HTTP/1.1", "Host: x", *headers, "", ""]).encode())

    def post(self, path: str, body: Any) -> None:
        content = json.dumps(body).encode()
        self.head(f"POST {path}", "Content-Type: application/json", f"Content-Length: {len(content)}")
        self.send(content)

    def read(self) -> tuple[int, dict[str, str], Any]:
        """(status, headers by small letters, JSON or None)."""
        status = int(self._input.readline().split()[1])
        headers = {}
        while line := self._input.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        content = self._input.read(int(headers.get("content-length", 0)))
        return status, headers, json.loads(content) if content else None

    def ended(self) -> bool:
        """Whether the server has closed the connection; waits for that."""
        try:
            return self._input.read(1) == b""
        except ConnectionError:
            return True

    def rest(self) -> int:
        """How many bytes come before the connection ends."""
        came = 0
        with suppress(ConnectionError):
            while got := self._input.read1(65536):
                came += len(got)
        return came

    def close(self) -> None:
        self._input.close()
        self._socket.close()
