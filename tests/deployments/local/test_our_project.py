"""Our project in the Label Studio that `up` starts."""

from contextlib import closing
from datetime import timedelta

import pytest
from pydantic import SecretStr

from deployments.local.our_project import find_project, follow_our_server
from flows.steps import asking
from flows.wiring.parts import Parts
from labeling.studio.interface import label_config
from storage.errors import BadInput
from storage.labels.projects import Project
from storage.records import Purpose
from tests.fixtures_home import problems, put_text
from tests.fixtures_label_studio import LabelStudioServer


def test_our_label_studio_stays_up_where_a_choice_was_added_so_that_it_can_be_taken_out_there(
    parts: Parts, label_studio: LabelStudioServer
) -> None:
    """A server of the user's own can be opened without `up`, so there the start is refused."""
    addresses = {"label_studio_url": label_studio.url, "receiver_url": "http://127.0.0.1:9"}
    secrets = {"label_studio_token": SecretStr(label_studio.token), "webhook_secret": SecretStr("secret")}
    own = Parts(parts.settings.model_copy(update={**addresses, **secrets}))
    with closing(own):
        assert find_project(own, ours=True) == ""
        project, config = own.projects.get(own.studio.url), label_config(own.scheme)
        assert project is not None
        added = config.replace("</Choices>", '<Choice value="mixed"/></Choices>')
        own.studio.api.projects.update(project.id, label_config=added)
        assert "mixed" in find_project(own, ours=True)
        with pytest.raises(BadInput, match="mixed"):
            find_project(own, ours=False)
        own.studio.api.projects.update(project.id, label_config=config)
        assert find_project(own, ours=True) == ""


def test_what_waited_in_a_server_that_was_reset_and_moved_is_asked_again(
    parts: Parts, label_studio: LabelStudioServer
) -> None:
    """No project of the new server has our marker, so nothing but finloop.env leads from the old address to the new."""
    before, words = Project("http://127.0.0.1:1", 7, epoch="before the reset"), "Profit rose in every market"
    text = put_text(parts, words)
    parts.projects.put(before)
    parts.tasks.reserve([text], Purpose.SELECT, "batch", "test", timedelta(minutes=1))
    parts.tasks.mark_sent(before, {text.text_id: 3})
    addresses = {"label_studio_url": label_studio.url, "receiver_url": "http://127.0.0.1:9"}
    secrets = {"label_studio_token": SecretStr(label_studio.token), "webhook_secret": SecretStr("secret")}
    moved = parts.settings.model_copy(update={**addresses, **secrets, "label_studio_project": "moved"})
    follow_our_server(moved, before.server)
    with closing(Parts(moved)) as own:
        assert find_project(own, ours=True) == ""
        project = own.projects.get(own.studio.url)
        assert project is not None and project.epoch != before.epoch
        asking.catch_up(own.studio, project, own.tasks, own.labels, own.inbox, own.scheme)
        assert [task.text for task in own.tasks.open(project.server, project.id)] == [words]
        assert own.tasks.open_elsewhere(own.studio.url) == {}
        assert any("not as this home knew it" in said for said in problems(own))
