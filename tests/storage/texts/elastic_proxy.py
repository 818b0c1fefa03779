"""A proxy in front of a real Elasticsearch that says what proxies and Elasticsearch's security say to an account."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ELASTIC = {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What the proxy answers by itself."""

    status: int
    headers: dict[str, str]
    body: bytes


Rule = Callable[[str, str, bytes], Answer | None]
"""Method, path and body of a request -> the proxy's own answer, or None: the server answers."""


def larger_than(limit: int) -> Rule:
    """As nginx answers: not an answer of Elasticsearch."""
    too_large = Answer(413, {"Content-Type": "text/html"}, b"<html>413 Request Entity Too Large</html>")
    return lambda _method, _path, body: too_large if len(body) > limit else None


def without(right: str, matches: Callable[[str, str], bool]) -> Rule:
    """As Elasticsearch's security answers to an account without a right."""
    reason = f"action [{right}] is unauthorized for user [feed]"
    error = {"error": {"root_cause": [], "type": "security_exception", "reason": reason}, "status": 403}
    denied = Answer(403, ELASTIC, json.dumps(error).encode())
    return lambda method, path, _body: denied if matches(method, path) else None


@contextmanager
def proxied(server: str, rule: Rule) -> Iterator[str]:
    """The address of a proxy in front of `server`."""

    class Handler(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answer = rule(self.command, self.path.partition("?")[0], body) or self.ask(body)
            self.send_response(answer.status)
            for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def ask(self, body: bytes) -> Answer:
            headers = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
            request = urllib.request.Request(server + self.path, body or None, headers, method=self.command)
            try:
                response = urllib.request.urlopen(request, timeout=60)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                kind = response.headers.get("Content-Type") or "application/json"
                return Answer(response.status, {**ELASTIC, "Content-Type": kind}, response.read())

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

        def log_message(self, *_: object) -> None:
            """Keep the test output quiet."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
