"""Our project on a real server: one, and as it should be."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from labeling.answer.reconcile import Reconciled, reconcile
from labeling.studio.interface import label_config
from labeling.studio.marker import Owner
from labeling.studio.owned import SECRET_HEADER, hash_of
from labeling.studio.project import ACTIONS, ensure_project
from storage.errors import BadInput
from storage.labels.projects import Project
from tests.fixtures_labeling import NOWHERE, SECRET, Loop
from tests.schemes import scheme_of

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
    return [one.id for one in loop.studio.projects("id,description") if loop.owner.epochs(one.description)]


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


def test_a_project_of_ours_to_which_somebody_added_a_choice_is_refused_also_at_another_address(loop: Loop) -> None:
    """A second project beside it would leave its tasks and their answers where nobody reads them."""
    project = loop.project()
    config = label_config(loop.scheme)
    added = config.replace("</Choices>", '<Choice value="mixed"/></Choices>')
    loop.studio.api.projects.update(project.id, label_config=added)
    loop.projects.move(loop.studio.url, "http://127.0.0.1:1")
    with pytest.raises(BadInput, match=f"project {project.id} .* mixed"):
        loop.project()
    assert marked(loop) == [project.id]
    loop.studio.api.projects.update(project.id, label_config=config)
    assert loop.project() == project


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


def test_a_project_whose_webhook_has_another_secret_is_refused_by_name(loop: Loop) -> None:
    project = loop.project()
    description = loop.studio.api.projects.get(project.id).description
    loop.studio.api.webhooks.update(project.webhook_id or 0, headers={SECRET_HEADER: "of another home"})
    with pytest.raises(
        BadInput, match=rf"project {project.id} \(finloop\) .*another finloop home(.|\n)*LABEL_STUDIO_PROJECT"
    ):
        loop.project()
    (hook,) = webhooks(loop, project)
    assert hook.headers == {SECRET_HEADER: "of another home"}
    assert loop.studio.api.projects.get(project.id).description == description


def strangers_project(loop: Loop) -> int:
    """A project of a colleague on the same server."""
    config = (
        '<View><Text name="t" value="$note"/><Choices name="kind" toName="t"><Choice value="bill"/></Choices></View>'
    )
    return int(str(loop.studio.api.projects.create(title="Letters", description="Ann's", label_config=config).id))


def test_a_strangers_project_with_the_number_of_ours_is_left_as_it_is(loop: Loop) -> None:
    ours, number = loop.project(), strangers_project(loop)
    before = loop.studio.get(f"/api/projects/{number}")
    loop.projects.put(replace(ours, id=number, epoch="0" * 32, webhook_id=None))
    loop.delete(f"/api/projects/{ours.id}/")
    new = loop.project()
    assert new.id not in {number, ours.id}
    assert loop.studio.get(f"/api/projects/{number}") == before
    assert webhooks(loop, replace(new, id=number)) == []
    why = [left.why for left in loop.projects.left(loop.studio.url)]
    assert f"project {number} there (Letters) does not carry the marker of this home's project" in why


def test_two_homes_with_one_name_have_a_project_each(loop: Loop) -> None:
    first = loop.project()
    loop.owner = replace(loop.owner, home="ab" * 16)
    other = loop.project()
    assert (first.id != other.id, first.epoch != other.epoch) == (True, True)
    assert loop.owner.epochs(loop.studio.api.projects.get(first.id).description) == []


def made_before(loop: Loop, description: str) -> Project:
    """Our project as an earlier finloop left it, and as the migration stores it."""
    project = loop.project()
    loop.studio.api.projects.update(project.id, description=description)
    loop.projects.put(replace(project, secret_hash=None))
    return project


def test_a_project_made_before_markers_named_a_home_is_kept_and_gets_its_marker(loop: Loop) -> None:
    project = made_before(loop, f"My words. {loop.owner.old_marker}")
    assert loop.project() == project
    there = loop.studio.api.projects.get(project.id)
    assert there.description == f"My words. {loop.owner.marker(project.epoch)}"
    assert loop.project() == project


def test_an_older_project_that_comes_back_after_a_reset_is_not_taken_for_its_successor(loop: Loop) -> None:
    project = made_before(loop, loop.owner.old_marker)
    loop.projects.put(replace(project, epoch="f" * 32), "it was gone")
    assert loop.project() == project


def test_a_description_that_somebody_wrote_over_is_made_up_for_by_our_webhook(loop: Loop) -> None:
    project = made_before(loop, "Please read the guidelines.")
    assert loop.project() == project


def test_an_older_project_with_the_webhook_of_another_home_is_refused(loop: Loop) -> None:
    project = made_before(loop, loop.owner.old_marker)
    loop.studio.api.webhooks.update(project.webhook_id or 0, headers={SECRET_HEADER: "of another home"})
    with pytest.raises(BadInput, match=f"project {project.id} "):
        loop.project()
    loop.owner = Owner("a-name-of-its-own", loop.owner.home)
    assert loop.project().id != project.id


def test_a_project_that_comes_back_is_the_current_one_again(loop: Loop) -> None:
    """Another volume of Label Studio was used for a while."""
    first = loop.project()
    loop.projects.put(replace(first, id=999_999, epoch="f" * 32, webhook_id=None), "it was gone")
    assert loop.project() == first
    assert [left.project.epoch for left in loop.projects.left(loop.studio.url)] == ["f" * 32]


def test_a_receiver_that_moved_keeps_its_one_webhook(loop: Loop) -> None:
    project = loop.project()
    moved = "http://127.0.0.1:10/webhooks/label-studio"
    again = ensure_project(loop.studio, loop.projects, loop.leases, loop.scheme, moved, "another secret", loop.owner)
    (hook,) = webhooks(loop, project)
    assert again == replace(project, secret_hash=hash_of("another secret"))
    assert (hook.url, hook.headers) == (moved, {SECRET_HEADER: "another secret"})
