"""Our project on a real server: one, and as it should be."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from labeling.studio.interface import LABEL_CONFIG
from labeling.studio.project import ACTIONS, SECRET_HEADER, ensure_project
from storage.labels.projects import ProjectIds
from tests.fixtures_labeling import NOWHERE, SECRET, Loop


def marked(loop: Loop) -> list[int]:
    """The projects that carry the test's marker."""
    found = loop.studio.get("/api/projects/", {"include": "id,description", "page_size": 100})["results"]
    return [one["id"] for one in found if loop.marker in (one["description"] or "")]


def webhooks(loop: Loop, ids: ProjectIds) -> list[dict[str, Any]]:
    return list(loop.studio.get("/api/webhooks/", {"project": ids.project_id}))


def test_processes_that_begin_at_once_make_one_project_with_one_webhook(loop: Loop) -> None:
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: loop.project(), range(3)))
    assert len(set(made)) == 1
    assert marked(loop) == [made[0].project_id]
    (hook,) = webhooks(loop, made[0])
    assert hook["id"] == made[0].webhook_id
    assert (hook["url"], hook["headers"], set(hook["actions"])) == (NOWHERE, {SECRET_HEADER: SECRET}, set(ACTIONS))


def test_what_was_changed_there_is_put_right(loop: Loop) -> None:
    ids = loop.project()
    changed = {"label_config": "<View><Text name='t' value='$text'/></View>", "show_skip_button": False}
    loop.studio.patch(f"/api/projects/{ids.project_id}/", {**changed, "title": "My own name"})
    loop.studio.patch(f"/api/webhooks/{ids.webhook_id}/", {"is_active": False, "headers": {}})
    assert loop.project() == ids
    project = loop.studio.get(f"/api/projects/{ids.project_id}/")
    assert (project["label_config"], project["show_skip_button"]) == (LABEL_CONFIG, True)
    assert project["title"] == "My own name"
    (hook,) = webhooks(loop, ids)
    assert (hook["is_active"], hook["headers"], set(hook["actions"])) == (True, {SECRET_HEADER: SECRET}, set(ACTIONS))


def test_a_project_whose_id_was_lost_is_found_by_its_marker(loop: Loop) -> None:
    ids = loop.project()
    loop.projects.put(loop.studio.url, ProjectIds(999_999, None))
    assert loop.project() == ids
    assert marked(loop) == [ids.project_id]


def test_a_server_that_answers_at_another_address_keeps_what_it_has_of_ours(loop: Loop) -> None:
    ids = loop.project()
    before = "http://127.0.0.1:1"
    loop.projects.move(loop.studio.url, before)
    assert loop.project() == ids
    assert loop.projects.elsewhere(loop.studio.url) == {}


def test_another_server_with_the_same_ids_takes_nothing(loop: Loop) -> None:
    ids = loop.project()
    loop.studio.patch(f"/api/webhooks/{ids.webhook_id}/", {"headers": {SECRET_HEADER: "of another home"}})
    before = "http://127.0.0.1:1"
    loop.projects.move(loop.studio.url, before)
    assert loop.project() == ids  # found by its marker
    assert loop.projects.elsewhere(loop.studio.url) == {before: ids}


def test_a_receiver_that_moved_keeps_its_one_webhook(loop: Loop) -> None:
    ids = loop.project()
    moved = "http://127.0.0.1:10/webhooks/label-studio"
    again = ensure_project(loop.studio, loop.projects, loop.leases, moved, "another secret", loop.marker)
    (hook,) = webhooks(loop, ids)
    assert (again, hook["url"], hook["headers"]) == (ids, moved, {SECRET_HEADER: "another secret"})
