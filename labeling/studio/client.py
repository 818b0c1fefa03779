"""One connection to a Label Studio server: its tokens, its moods and its paging, so that callers speak only of tasks.

Plain HTTP rather than the SDK: importing that costs 1.1 s in every process, it repeats imports that may have been
done, and its models refuse answers of other server versions. Only requests that cannot have had an effect are repeated.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
from tenacity import Retrying, retry_if_exception, stop_before_delay, wait_exponential

from labeling.studio.tokens import CHECK_SECONDS, CONNECT_SECONDS, Token, token_of
from storage.errors import FinloopError, Refused, Unreachable
from storage.texts.paging import batches

URL_SETTING = "FINLOOP_LABEL_STUDIO_URL"
TOKEN_SETTING = "FINLOOP_LABEL_STUDIO_TOKEN"
PAGE = 500
"""Tasks in one page of a list: Label Studio takes 0.1 s for the ids of so many, and 1 to 3 s with their answers."""

GIVE_UP_AFTER = 6.0
"""Seconds within which a request may be tried again: with the last try's 3 s to connect that stays below 10 s."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
BUSY = (429, 503)
GATEWAY = (502, 504)


class NotThere(FinloopError):
    """Label Studio knows nothing of that id (or hides it from our user)."""


class Studio:
    """A server by address and token, legacy or personal; safe to use from several threads."""

    def __init__(self, url: str, token: str, timeout: float = 60.0) -> None:
        """Nothing is sent yet; `timeout` is what one answer may take, in seconds. Raises Refused for no token."""
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url,
            timeout=httpx.Timeout(timeout, connect=CONNECT_SECONDS),
            # A proxy of the environment is for the internet: it cannot reach this machine's own addresses.
            trust_env=urlsplit(self.url).hostname not in LOOPBACK,
            follow_redirects=True,
        )
        self._token: Token = token_of(token.strip(), self.url, TOKEN_SETTING)

    def check(self) -> str:
        """The server's version. Raises Unreachable or Refused within 10 s, also where something else answers."""
        self.get("/api/current-user/whoami", timeout=CHECK_SECONDS)
        return str(self.get("/api/version", timeout=CHECK_SECONDS).get("release", "unknown"))

    def get(self, path: str, params: Mapping[str, Any] | None = None, timeout: float | None = None) -> Any:
        """The JSON at a path. Raises NotThere, Refused, Unreachable."""
        return self._request("GET", path, params=params, timeout=timeout)

    def post(self, path: str, body: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Create something, once: a request whose fate is unknown is not repeated. Raises as `get`."""
        return self._request("POST", path, params=params, body=body)

    def patch(self, path: str, body: Any) -> Any:
        """Change something to what it shall be. Raises as `get`."""
        return self._request("PATCH", path, body=body)

    def tasks(
        self, project_id: int, fields: str, query: Mapping[str, Any] | None = None, *, answers: bool = False
    ) -> Iterator[dict[str, Any]]:
        """The tasks of a project, each once, with these comma-separated fields (`id` first).

        `query` is the Data Manager's {filters, selectedItems, ordering}. With `answers`, `fields` may name
        `annotations` and the fields of theirs. A task that is deleted meanwhile may hide another: ask for that one
        by id before calling it gone. Raises NotThere where the project is gone.
        """
        params: dict[str, Any] = {"project": project_id, "page_size": PAGE, "include": fields}
        params |= {"fields": "all"} if answers else {}
        params |= {"query": json.dumps(query)} if query else {}
        seen: set[int] = set()
        page, total = 1, 1
        while (page - 1) * PAGE < total:
            try:
                answer = self.get("/api/tasks", {**params, "page": page})
            except NotThere:
                if page == 1:
                    raise
                return
            yield from (task for task in answer["tasks"] if task["id"] not in seen)
            seen.update(task["id"] for task in answer["tasks"])
            page, total = page + 1, int(answer["total"])

    def chosen_tasks(self, project_id: int, fields: str, task_ids: Collection[int]) -> Iterator[dict[str, Any]]:
        """Those of these tasks that are there, with their answers; asked for in portions that fit into an address."""
        for some in batches(sorted(task_ids), PAGE // 2):
            chosen = {"selectedItems": {"all": False, "included": some}}
            yield from self.tasks(project_id, fields, chosen, answers=True)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _request(
        self, method: str, path: str, *, params: Any = None, body: Any = None, timeout: float | None = None
    ) -> Any:
        def once() -> httpx.Response:
            answer = self._send(method, path, params, body, timeout)
            if answer.status_code == 401 and self._token.renew():
                answer = self._send(method, path, params, body, timeout)
            if answer.status_code in BUSY:
                answer.raise_for_status()
            return answer

        attempts = Retrying(
            retry=retry_if_exception(lambda error: _had_no_effect(method, error)),
            wait=wait_exponential(multiplier=0.2, max=2),
            stop=stop_before_delay(GIVE_UP_AFTER),
            reraise=True,
        )
        try:
            return self._answer(method, path, attempts(once))
        except httpx.HTTPStatusError as error:
            raise self._unreachable(f"it answers {error.response.status_code}") from error
        except httpx.TransportError as error:
            raise self._unreachable(f"{type(error).__name__}: {error}") from error

    def _send(self, method: str, path: str, params: Any, body: Any, timeout: float | None) -> httpx.Response:
        options: dict[str, Any] = (
            {} if timeout is None else {"timeout": httpx.Timeout(timeout, connect=CONNECT_SECONDS)}
        )
        headers = {"Authorization": self._token.header(self._http)}
        return self._http.request(method, path, params=params, json=body, headers=headers, **options)

    def _answer(self, method: str, path: str, answer: httpx.Response) -> Any:
        if answer.status_code in (401, 403):
            raise Refused(
                f"Label Studio at {self.url} refuses the token ({TOKEN_SETTING}): {answer.status_code}.\n"
                "Copy a token from Account & Settings there, legacy or personal, of a user who may edit the project."
            )
        if answer.status_code in GATEWAY:
            raise self._unreachable(f"its gateway answers {answer.status_code}")
        if answer.status_code == 404 and _is_json(answer):
            raise NotThere(f"Label Studio at {self.url} has no {path}")
        if answer.is_error and _is_json(answer):
            raise Refused(
                f"Label Studio at {self.url} refuses {method} {path}: {answer.status_code} {answer.text[:500]}"
            )
        if answer.is_success and not answer.content:
            return None
        if not _is_json(answer):
            raise self._unreachable(f"what answers there is not Label Studio ({answer.status_code} at {path})")
        return answer.json()

    def _unreachable(self, reason: str) -> Unreachable:
        cure = "Start it, correct the address, or unset the variable to have `finloop up` start one."
        return Unreachable("Label Studio", self.url, URL_SETTING, reason, cure)


def _is_json(answer: httpx.Response) -> bool:
    try:
        answer.json()
    except ValueError:
        return False
    return True


def _had_no_effect(method: str, error: BaseException) -> bool:
    """Whether the same request may be sent again without the risk of doing its work twice."""
    if isinstance(error, httpx.HTTPStatusError):
        return True
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return True
    # A silent server is given one chance: more would break the promise of an answer within 10 s.
    return isinstance(error, httpx.TransportError) and not isinstance(error, httpx.ReadTimeout) and method != "POST"
