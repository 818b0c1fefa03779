"""A run that a person starts with one setting keeps the other settings of its deployment."""

import httpx

from flows.prefect_api.runs import Runs
from flows.prefect_api.server import PrefectServer
from tests.fixtures_prefect import AUTH


def test_a_policy_that_is_given_in_part_leaves_the_rest_as_the_deployment_says(
    deployed_server: str, prefect_api: httpx.Client
) -> None:
    run = Runs(PrefectServer(deployed_server, AUTH)).start("retrain", {"policy": {"yardstick": "always"}})
    try:
        found = prefect_api.get(f"/flow_runs/{run.id}").raise_for_status().json()["parameters"]["policy"]
        assert found == {"yardstick": "always", "recipe": {"epochs": 4, "batch_size": 16, "seed": 0}}
    finally:
        prefect_api.delete(f"/flow_runs/{run.id}")
