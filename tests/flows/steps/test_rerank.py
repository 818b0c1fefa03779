"""A score ranks the open tasks where it can, and never fails for Label Studio; see tests/labeling for the order."""

from datetime import timedelta

from pydantic import SecretStr

from flows.steps.rerank import rerank_open
from flows.wiring.parts import Parts
from storage.labels.projects import Project
from storage.records import Purpose
from tests.deployments.serving.models import free_port
from tests.fixtures_home import put_text


def test_a_home_without_a_project_has_nothing_to_rank_and_an_absent_server_is_named(parts: Parts) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    away = Parts(parts.settings.model_copy(update={"label_studio_url": url, "label_studio_token": SecretStr("a" * 40)}))

    def said() -> str:
        return rerank_open(away.studio, away.projects, away.tasks, away.texts, away.scheme, "1")

    assert said() == ""
    away.projects.put(Project(url, 1))
    assert said() == ""
    text = put_text(away, "Sales rose")
    away.tasks.reserve([text], Purpose.SELECT, "batch", "test", timedelta(minutes=1))
    away.tasks.mark_sent(Project(url, 1), {text.text_id: 1})
    assert "keep their order until the next score" in said() and url in said()
    away.close()
