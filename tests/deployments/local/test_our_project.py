"""Our project in the Label Studio that `up` starts."""

from contextlib import closing

import pytest
from pydantic import SecretStr

from deployments.local.our_project import find_project
from flows.wiring.parts import Parts
from labeling.studio.interface import label_config
from storage.errors import BadInput
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
