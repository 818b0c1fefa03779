"""The names that a home gives on a Prefect server are plain on its own server, and its own on a shared one."""

import pytest

from flows.prefect_api.server import PrefectServer


@pytest.mark.parametrize(("suffix", "name"), [("", "retrain"), ("-1a2b3c4d", "retrain-1a2b3c4d")])
def test_a_deployment_has_the_suffix_and_its_flow_has_none(suffix: str, name: str) -> None:
    server = PrefectServer("http://theirs", suffix=suffix)
    assert server.named("retrain") == name
    assert server.deployment_path("retrain") == f"/deployments/name/retrain/{name}"
