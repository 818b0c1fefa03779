"""prefect.yaml means the same on a shared server: only names of deployments, pools and resources have the suffix."""

from copy import deepcopy

from deployments.local.prefect_file import flows, named_for, pools, read_prefect_file
from flows.prefect_api.server import PrefectServer
from flows.wiring.settings import REPOSITORY

FILE = read_prefect_file(REPOSITORY)


def test_without_a_suffix_the_file_is_as_it_is() -> None:
    assert named_for(PrefectServer("http://ours"), FILE) == FILE


def test_every_name_has_the_suffix_once_although_deployments_share_a_pool() -> None:
    before = deepcopy(FILE)
    named = named_for(PrefectServer("http://theirs", suffix="-mine"), FILE)
    assert before == FILE
    assert [one["name"] for one in named["deployments"]] == [f"{one['name']}-mine" for one in FILE["deployments"]]
    assert pools(named) == ["cpu-mine", "gpu-mine"]
    triggers = [trigger for one in named["deployments"] for trigger in one.get("triggers", [])]
    assert {one["match"]["prefect.resource.id"] for one in triggers} == {
        "finloop.label-store-mine",
        "finloop.registry-mine",
    }


def test_nothing_but_names_differs_and_the_flows_are_the_same() -> None:
    named = named_for(PrefectServer("http://theirs", suffix="-mine"), FILE)
    changed = {"name", "work_pool", "triggers"}
    for one, other in zip(named["deployments"], FILE["deployments"], strict=True):
        assert {key: one[key] for key in one.keys() - changed} == {key: other[key] for key in other.keys() - changed}
        assert one["work_pool"]["job_variables"] == other["work_pool"]["job_variables"]
    assert flows(named) == flows(FILE) == [one["name"] for one in FILE["deployments"]]
