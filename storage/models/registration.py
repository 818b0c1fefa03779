"""The steps of a registration in MLflow: what must be there first, the version itself, and the end of a failed one."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.models.entries import tags_of
from storage.models.manifest import Manifest
from storage.models.places import PLACE_TAG, copy_model, place_of

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

MODEL_NAME = "finloop"
_TAG, _REGISTRATION = "finloop", "registration"
OURS = {_TAG: _REGISTRATION}
"""The tag of a run that a registration of ours makes."""


def prepared(client: "MlflowClient", artifacts: Path) -> tuple[str, ...]:
    """Our model name and experiment are there and active, and nothing is left of registrations that were killed.

    Returns a sentence for each thing that was deleted in MLflow and is restored.
    """
    said: list[str] = []
    experiment = client.get_experiment_by_name(MODEL_NAME)
    if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
        if experiment is not None and client.search_runs([experiment.experiment_id], max_results=1):
            said.append(
                f"the model {MODEL_NAME} was deleted in MLflow, with its versions and aliases; a new one begins"
            )
        client.create_registered_model(MODEL_NAME)
    if experiment is None:
        client.create_experiment(MODEL_NAME, artifact_location=artifacts.as_uri())
    elif experiment.lifecycle_stage != "active":
        client.restore_experiment(experiment.experiment_id)
        said.append(f"the experiment {MODEL_NAME} was deleted in MLflow; it is restored, with its runs")
    if experiment is not None:
        killed = f"attributes.status = 'RUNNING' and tags.{_TAG} = '{_REGISTRATION}'"
        for run in client.search_runs([experiment.experiment_id], killed):
            forget(client, run.info.run_id, artifacts)
    return tuple(said)


def registered(client: "MlflowClient", run: str, folder: Path, manifest: Manifest, artifacts: Path) -> Any:
    """Copy a model to the artifacts and give the copy a version; returns MLflow's entry."""
    place = place_of(run)
    copy_model(folder, artifacts / place)
    for name, value in manifest.metrics.items():
        client.log_metric(run, name, value)
    client.set_terminated(run)
    source, tags = (artifacts / place).as_uri(), {PLACE_TAG: str(place), **tags_of(manifest)}
    return client.create_model_version(MODEL_NAME, source=source, run_id=run, tags=tags)


def forget(client: "MlflowClient", run: str, artifacts: Path) -> None:
    """Remove the files of a registration that failed, and end its run."""
    shutil.rmtree(artifacts / run, ignore_errors=True)
    with suppress(Exception):  # the error that ended the registration is the one to be seen
        client.set_terminated(run, "FAILED")
