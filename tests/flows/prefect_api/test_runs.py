"""A run that a person starts with one setting keeps the other settings of its deployment, and has its own seconds."""

from dataclasses import replace
from datetime import timedelta

import httpx

from flows.prefect_api.runs import Run, Runs
from flows.prefect_api.server import PrefectServer
from storage.clock import now
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


def test_a_run_took_the_seconds_from_its_start_to_its_end_however_late_it_is_looked_at() -> None:
    began = now()
    run = Run("id", "deploy", "RUNNING", "", "event", "event", began, began, None)
    assert run.seconds is None
    assert replace(run, state="COMPLETED", ended=began + timedelta(seconds=4)).seconds == 4
