"""Our project on a real server: one, and as it should be."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from labeling.answer.reconcile import Reconciled, reconcile
from labeling.studio.interface import label_config
from labeling.studio.project import ACTIONS, SECRET_HEADER, ensure_project
from storage.errors import BadInput
from storage.labels.projects import Project
from tests.fixtures_labeling import NOWHERE, SECRET, Loop
from tests.labeling.studio.schemes import scheme_of

BEFORE_SCHEMES = """<View>
  <Header value="What does this mean for the price?" size="5"/>
  <View className="finloop-text"><Text name="text" value="$text" selectionEnabled="false"/></View>
  <Text name="source" value="From: $feed" selectionEnabled="false"/>
  <Choices name="sentiment" toName="text" choice="single" showInline="true" required="true">
    <Choice value="positive" hotkey="1"/>
    <Choice value="neutral" hotkey="2"/>
    <Choice value="negative" hotkey="3"/>
  </Choices>
</View>"""


def marked(loop: Loop) -> list[int]:
    """The projects that carry the test's marker."""
    return [one.id for one in loop.studio.projects("id,description") if loop.marker in (one.description or "")]


def webhooks(loop: Loop, project: Project) -> list[Any]:
    return list(loop.studio.api.webhooks.list(project=str(project.id)))


def test_processes_that_begin_at_once_make_one_project_with_one_webhook(loop: Loop) -> None:
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: loop.project(), range(3)))
    assert len(set(made)) == 1
    assert marked(loop) == [made[0].id]
    (hook,) = webhooks(loop, made[0])
    assert hook.id == made[0].webhook_id
    assert (hook.url, hook.headers, set(hook.actions)) == (NOWHERE, {SECRET_HEADER: SECRET}, set(ACTIONS))


def test_annotators_read_the_question_and_whose_project_it_is(loop: Loop) -> None:
    there = loop.studio.api.projects.get(loop.project().id)
    assert there.title == "finloop"
    assert (there.description or "").startswith(f"{loop.scheme.question} Label scheme sentiment, asked by finloop.")


def test_what_was_changed_there_is_put_right(loop: Loop) -> None:
    project = loop.project()
    config = "<View><Text name='t' value='$text'/></View>"
    loop.studio.api.projects.update(project.id, label_config=config, show_skip_button=False, title="My own name")
    loop.studio.api.webhooks.update(project.webhook_id or 0, is_active=False, headers={})
    assert loop.project() == project
    there = loop.studio.api.projects.get(project.id)
    assert (there.label_config, there.show_skip_button) == (label_config(loop.scheme), True)
    assert there.title == "My own name"
    (hook,) = webhooks(loop, project)
    assert (hook.is_active, hook.headers, set(hook.actions)) == (True, {SECRET_HEADER: SECRET}, set(ACTIONS))


def test_a_project_as_it_should_be_is_left_alone(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    loop.project()
    for part in (loop.studio.api.projects, loop.studio.api.webhooks):
        monkeypatch.setattr(part, "update", lambda *_, **__: pytest.fail("changed"))
        monkeypatch.setattr(part, "create", lambda *_, **__: pytest.fail("made"))
    loop.project()


def test_a_project_made_before_there_were_schemes_is_kept_with_its_answers(loop: Loop) -> None:
    project = loop.project()
    (task,) = loop.sent(project, 1)
    loop.studio.api.projects.update(project.id, label_config=BEFORE_SCHEMES)
    loop.answer(task, "negative")
    assert loop.project() == project
    assert loop.studio.api.projects.get(project.id).label_config == label_config(loop.scheme)
    assert reconcile(loop.studio, project, loop.tasks, loop.labels, loop.scheme) == Reconciled(tasks=1, answers=1)


def test_a_project_of_another_scheme_is_refused_by_name_and_left_as_it_is(loop: Loop) -> None:
    project = loop.project()
    ours, loop.scheme = loop.scheme, scheme_of("confirmed", "rumour", name="rumour")
    with pytest.raises(BadInput, match=f"project {project.id} .* sentiment: negative, neutral, positive.* rumour"):
        loop.project()
    loop.scheme = scheme_of("positive", "negative", name="sentiment")
    with pytest.raises(BadInput, match=f"project {project.id} "):
        loop.project()
    assert loop.studio.api.projects.get(project.id).label_config == label_config(ours)


def test_a_marked_project_of_another_scheme_is_not_taken(loop: Loop) -> None:
    project = loop.project()
    loop.projects.put(replace(project, id=999_999, webhook_id=None))
    loop.scheme = scheme_of("confirmed", "rumour", name="rumour")
    other = loop.project()
    assert other.id != project.id
    assert set(marked(loop)) == {project.id, other.id}


def test_a_project_whose_id_was_lost_is_found_by_its_marker(loop: Loop) -> None:
    project = loop.project()
    loop.projects.put(Project(loop.studio.url, 999_999))
    assert loop.project() == project
    assert marked(loop) == [project.id]


def test_a_server_that_answers_at_another_address_keeps_what_it_has_of_ours(loop: Loop) -> None:
    project = loop.project()
    before = "http://127.0.0.1:1"
    loop.projects.move(loop.studio.url, before)
    assert loop.project() == project
    assert loop.projects.elsewhere(loop.studio.url) == []


def test_another_server_with_the_same_ids_takes_nothing(loop: Loop) -> None:
    project = loop.project()
    loop.studio.api.webhooks.update(project.webhook_id or 0, headers={SECRET_HEADER: "of another home"})
    before = "http://127.0.0.1:1"
    loop.projects.move(loop.studio.url, before)
    assert loop.project() == project  # found by its marker
    assert loop.projects.elsewhere(loop.studio.url) == [replace(project, server=before)]


def test_a_receiver_that_moved_keeps_its_one_webhook(loop: Loop) -> None:
    project = loop.project()
    moved = "http://127.0.0.1:10/webhooks/label-studio"
    again = ensure_project(loop.studio, loop.projects, loop.leases, loop.scheme, moved, "another secret", loop.marker)
    (hook,) = webhooks(loop, project)
    assert (again, hook.url, hook.headers) == (project, moved, {SECRET_HEADER: "another secret"})
