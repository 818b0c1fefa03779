"""A score ranks the open tasks where it can, and never fails for Label Studio; see tests/labeling for the order."""

from dataclasses import replace
from datetime import timedelta

from pydantic import SecretStr

from flows.steps.rerank import rerank_open
from flows.wiring.parts import Parts
from storage.labels.projects import Project
from storage.records import Purpose
from tests.deployments.serving.models import free_port
from tests.fixtures_home import put_text
from tests.fixtures_labeling import Loop


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


def test_tasks_are_taken_back_only_where_a_bound_is_set_and_the_run_says_how_many(loop: Loop) -> None:
    project = loop.project()
    for task, margin in zip(loop.sent(project, 3), (0.95, 0.91, 0.2), strict=True):
        assert task.prediction is not None
        said = replace(task.prediction, margin=margin, model_version="8")
        loop.texts.record_predictions([(task.text_id, said)])

    def run(above: float | None) -> str:
        return rerank_open(loop.studio, loop.projects, loop.tasks, loop.texts, loop.scheme, "8", above)

    assert run(None) == "; 3 open tasks ranked anew"
    assert run(0.99) == ""
    assert run(0.9) == "; 2 open tasks taken back: their margin by version 8 is above 0.9"
    assert len(loop.there(project)) == 1
