"""One Label Studio server, spoken to through label-studio-sdk, so that callers speak only of projects and tasks.

Importing the SDK takes a second, of which pandas is a third: it is imported at the first call that needs it, and the
receiver, the command line and a check of the address never do.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from labeling.studio.connection import Connection, NotThere
from labeling.studio.tokens import CHECK_SECONDS
from storage.texts.paging import batches

if TYPE_CHECKING:
    from label_studio_sdk.client import LabelStudio

PAGE = 500
"""Tasks in one page of a list: Label Studio takes 0.1 s for the ids of so many, and 1 to 3 s with their answers."""


class Studio:
    """A server by address and token, legacy or personal; safe to use from several threads."""

    def __init__(self, url: str, token: str, timeout: float = 60.0) -> None:
        """Nothing is sent yet; `timeout` is what one answer may take, in seconds. Raises Refused for no token."""
        self.connection = Connection(url, token)
        self.url, self._timeout = self.connection.url, timeout

    @cached_property
    def api(self) -> "LabelStudio":
        """The SDK on our connection: its methods raise NotThere, Refused and Unreachable."""
        from label_studio_sdk.client import LabelStudio

        # The connection puts the token into every request in place of the SDK's.
        http = {"httpx_client": self.connection, "timeout": self._timeout}
        return LabelStudio(base_url=self.url, api_key="unused", max_retries=0, **http)

    def check(self) -> str:
        """The server's version. Raises Unreachable or Refused within 10 s, also where something else answers."""
        self.get("/api/current-user/whoami", timeout=CHECK_SECONDS)
        return str(self.get("/api/version", timeout=CHECK_SECONDS).get("release", "unknown"))

    def get(self, path: str, params: Mapping[str, Any] | None = None, timeout: float | None = None) -> Any:
        """The JSON at a path that the SDK has no method for. Raises NotThere, Refused, Unreachable."""
        return self.connection.get(path, params=params, timeout=timeout or self._timeout).json()

    def projects(self, fields: str) -> Iterator[Any]:
        """The projects that our user sees, as the SDK's values, with these comma-separated fields."""
        page: Any = self.api.projects.list(include=fields, page_size=100)
        yield from page.items
        while page.response.next:  # the SDK's own iteration asks on until the server says that there is no such page
            page = page.next_page()
            yield from page.items

    def tasks(
        self, project_id: int, fields: str, query: Mapping[str, Any] | None = None, *, answers: bool = False
    ) -> Iterator[dict[str, Any]]:
        """The tasks of a project, each once, with these comma-separated fields (`id` first).

        `query` is the Data Manager's {filters, selectedItems, ordering}. With `answers`, `fields` may name
        `annotations` and the fields of theirs. A task that is deleted meanwhile may hide another: ask for that one
        by id before calling it gone. Raises NotThere where the project is gone.
        """
        chosen: dict[str, Any] = {"project": project_id, "page_size": PAGE, "include": fields}
        chosen |= {"fields": "all" if answers else "task_only"}
        chosen |= {"query": json.dumps(query)} if query else {}
        seen: set[int] = set()
        page, total = 1, 1
        while (page - 1) * PAGE < total:
            try:
                listed: Any = self.api.tasks.list(page=page, **chosen)
            except NotThere:
                if page == 1:
                    raise
                return
            found = [dict(task) for task in listed.items or []]
            yield from (task for task in found if task["id"] not in seen)
            seen.update(task["id"] for task in found)
            page, total = page + 1, int(listed.response.total)

    def chosen_tasks(self, project_id: int, fields: str, task_ids: Collection[int]) -> Iterator[dict[str, Any]]:
        """Those of these tasks that are there, with their answers; asked for in portions that fit into an address."""
        for some in batches(sorted(task_ids), PAGE // 2):
            chosen = {"selectedItems": {"all": False, "included": some}}
            yield from self.tasks(project_id, fields, chosen, answers=True)

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Create tasks, once; their ids in order, or none where the server makes the tasks in the background."""
        # The SDK's models want a task's number in its predictions, and know no ids in the response.
        request: Any = tasks
        made = self.api.projects.import_tasks(project_id, request=request, return_task_ids=True)
        return list(dict(made).get("task_ids") or [])

    def close(self) -> None:
        """Let go of the connections."""
        self.connection.close()
