"""One Label Studio server, called through label-studio-sdk, so that callers know only projects and tasks.

Importing the SDK takes a second, so the first call that needs the SDK imports it. The receiver, the start of the
command line and a check of the address do not need it.
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
"""Tasks in one page of a list: Label Studio takes 0.1 s for 500 ids, and 1 to 3 s for 500 tasks with answers."""

RESPONSE_SECONDS = 60.0


class Studio:
    """A server by address and token, legacy or personal; safe to use from several threads."""

    def __init__(self, url: str, token: str) -> None:
        """Send nothing yet. Raises Refused where `token` cannot be a token."""
        self.connection = Connection(url, token)
        self.url = self.connection.url

    @cached_property
    def api(self) -> "LabelStudio":
        """The SDK on our connection: its methods raise NotThere, Refused and Unreachable."""
        from label_studio_sdk.client import LabelStudio

        # The connection puts the real token into every request.
        http = {"httpx_client": self.connection, "timeout": RESPONSE_SECONDS}
        return LabelStudio(base_url=self.url, api_key="unused", max_retries=0, **http)

    def check(self) -> str:
        """The server's version. Raises Unreachable or Refused within 10 s, also where another server responds."""
        self.get("/api/current-user/whoami", timeout=CHECK_SECONDS)
        return str(self.get("/api/version", timeout=CHECK_SECONDS).get("release", "unknown"))

    def get(self, path: str, params: Mapping[str, Any] | None = None, timeout: float = RESPONSE_SECONDS) -> Any:
        """The JSON at a path that the SDK has no method for. Raises NotThere, Refused, Unreachable."""
        return self.connection.get(path, params=params, timeout=timeout).json()

    def projects(self, fields: str) -> Iterator[Any]:
        """The projects that our user sees, as the SDK's values, with these comma-separated fields."""
        page: Any = self.api.projects.list(include=fields, page_size=100)
        yield from page.items
        while page.response.next:  # the SDK's own iterator asks for pages until one is missing
            page = page.next_page()
            yield from page.items

    def tasks(
        self, project_id: int, fields: str, query: Mapping[str, Any] | None = None, *, answers: bool = False
    ) -> Iterator[dict[str, Any]]:
        """The tasks of a project, each once, with these comma-separated fields (`id` first).

        `query` is the Data Manager's {filters, selectedItems, ordering}. With `answers`, `fields` may name
        `annotations` and their fields. Deleting a task during the iteration may hide another task: ask for a task by
        id before calling it gone. Raises NotThere where the project is gone.
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
        """The tasks with these ids that exist, with their answers. A request has the ids that fit into its address."""
        for some in batches(sorted(task_ids), PAGE // 2):
            chosen = {"selectedItems": {"all": False, "included": some}}
            yield from self.tasks(project_id, fields, chosen, answers=True)

    def answered_tasks(self, project_id: int) -> set[int]:
        """The ids of the tasks that somebody annotated, by the annotations: a task's counters may be wrong."""
        has_some = {"filter": "filter:tasks:annotators", "operator": "empty", "type": "List", "value": False}
        query = {"filters": {"conjunction": "and", "items": [has_some]}}
        return {int(task["id"]) for task in self.tasks(project_id, "id", query)}

    def drafted_tasks(self, project_id: int) -> set[int]:
        """The ids of the tasks that somebody has begun to annotate, whoever it was."""
        begun = {"filter": "filter:tasks:draft_exists", "operator": "equal", "type": "Boolean", "value": True}
        query = {"filters": {"conjunction": "and", "items": [begun]}}
        return {int(task["id"]) for task in self.tasks(project_id, "id", query)}

    def update_data(self, task_id: int, data: Mapping[str, Any]) -> None:
        """Replace the data of a task. Raises NotThere where the task is gone."""
        self.api.tasks.update(str(task_id), data=dict(data))

    def delete_task(self, task_id: int) -> None:
        """Delete a task with all that was answered there. The caller looks first. Raises NotThere where it is gone."""
        self.api.tasks.delete(str(task_id))

    def task(self, project_id: int, task_id: int) -> dict[str, Any] | None:
        """One task with all its annotations, or None where the project has none of that id."""
        try:
            task = dict(self.get(f"/api/tasks/{task_id}"))
            listed = list(self.get(f"/api/tasks/{task_id}/annotations/"))
        except NotThere:
            return None
        if task["project"] != project_id:
            return None
        numbers = {annotation["id"] for annotation in listed}
        return {**task, "annotations": listed + [one for one in task["annotations"] if one["id"] not in numbers]}

    def import_tasks(self, project_id: int, tasks: Sequence[Mapping[str, Any]]) -> list[int]:
        """Create tasks in one request. Returns their ids in order, or none where the server works in the background."""
        # The SDK's models require a task number in predictions, and have no ids in the response.
        request: Any = tasks
        made = self.api.projects.import_tasks(project_id, request=request, return_task_ids=True)
        return list(dict(made).get("task_ids") or [])

    def close(self) -> None:
        """Close the connections."""
        self.connection.close()
