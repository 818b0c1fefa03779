import pytest
from sqlalchemy import Engine

from storage.projects import ProjectIds, Projects
from tests.storage.conftest import SERVER


@pytest.fixture
def projects(engine: Engine) -> Projects:
    return Projects(engine)


def test_a_server_without_a_project_of_ours_has_none(projects: Projects) -> None:
    assert projects.get(SERVER) is None


def test_each_server_has_ids_of_its_own(projects: Projects) -> None:
    projects.put(SERVER, ProjectIds(1, None))
    projects.put("http://other", ProjectIds(1, 2))
    assert projects.get(SERVER) == ProjectIds(1, None)
    assert projects.get("http://other") == ProjectIds(1, 2)


def test_healed_ids_take_the_place_of_the_old(projects: Projects) -> None:
    projects.put(SERVER, ProjectIds(1, None))
    projects.put(SERVER, ProjectIds(1, 2**40))
    assert projects.get(SERVER) == ProjectIds(1, 2**40)
