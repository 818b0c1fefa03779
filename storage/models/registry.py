"""Model versions and their aliases: MLflow keeps the names, the manifest beside the weights keeps the facts.

The registry stores plain folders and uses none of MLflow's model flavours, because these load models with remote code
allowed. Importing the MLflow client takes 1.5 s, so the first call that needs the client imports it.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlparse

from filelock import FileLock

from storage.errors import BadInput, CorruptModel, UnknownVersion
from storage.models.manifest import Manifest, check_manifest
from storage.models.verdict import Verdict

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

MODEL_NAME = "finloop"
ALIASES = ("champion", "challenger", "previous")
_FOLDER = "model"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered model; `verdict` is None until the gate has judged the model."""

    version: str
    created_at: datetime
    aliases: tuple[str, ...]
    manifest: Manifest
    verdict: Verdict | None


class Registry:
    """The registered model versions: one MLflow address, and one folder of artifacts that all processes share.

    Safe to use from several threads and processes. MLflow makes two versions of a model that is registered twice, so
    registering takes a file lock in `artifacts`. Models of other labels than `labels` are not registered, and their
    folders are not given out: BadInput names both sets of labels.
    """

    def __init__(self, tracking_uri: str, artifacts: Path, labels: Sequence[str]) -> None:
        self._uri = tracking_uri
        self._labels = tuple(labels)
        self._artifacts = artifacts.resolve()
        self._lock = FileLock(self._artifacts / ".registry.lock")

    def prepare(self) -> None:
        """Create MLflow's schema, our experiment and our model name where they are missing (4.5 s the first time)."""
        _ = self._client

    def register(self, folder: Path) -> ModelVersion:
        """Copy the model in `folder` to the artifacts and give it a version. A dataset and recipe have one version.

        Raises CorruptModel where the folder, or its copy, does not match the manifest.
        """
        manifest = check_manifest(folder)
        self._check_labels(manifest, str(folder))
        client = self._client
        with self._lock:
            known = self.find(manifest.dataset_version, manifest.recipe_hash)
            if known is not None:
                return known
            run = client.create_run(self._experiment, run_name=f"{manifest.dataset_version[:12]} {manifest.base_model}")
            client.log_artifacts(run.info.run_id, str(folder), _FOLDER)
            for name, value in manifest.metrics.items():
                client.log_metric(run.info.run_id, name, value)
            source = f"{run.info.artifact_uri}/{_FOLDER}"
            check_manifest(_local(source))
            client.set_terminated(run.info.run_id)
            tags = {
                "dataset_version": manifest.dataset_version,
                "recipe_hash": manifest.recipe_hash,
                "manifest": manifest.model_dump_json(),
            }
            made = client.create_model_version(MODEL_NAME, source=source, run_id=run.info.run_id, tags=tags)
        return _version(made, {})

    def find(self, dataset_version: str, recipe_hash: str) -> ModelVersion | None:
        """The version that was trained on this dataset by this recipe, or None."""
        wanted = (dataset_version, recipe_hash)
        same = (one for one in self.versions() if (one.manifest.dataset_version, one.manifest.recipe_hash) == wanted)
        return next(same, None)

    def versions(self) -> list[ModelVersion]:
        """Every version, oldest first."""
        aliases = self.aliases()
        found = [_version(one, aliases) for one in self._entries()]
        return sorted(found, key=lambda one: int(one.version))

    def resolve(self, name: str) -> ModelVersion:
        """The version with this alias or number. Raises UnknownVersion that lists the known names."""
        aliases = self.aliases()
        number = aliases.get(name, name)
        for entry in self._entries():
            if str(entry.version) == number:
                return _version(entry, aliases)
        known = ", ".join([*aliases, *sorted((str(entry.version) for entry in self._entries()), key=int)])
        cure = "" if known else ".\n`finloop retrain` makes the first; a folder needs none (predict --model DIR)."
        raise UnknownVersion(f"no model version is called {name!r}; there are: {known or 'none yet'}{cure}")

    def folder(self, version: str) -> Path:
        """The folder of a version, after a check of every file. Raises UnknownVersion or CorruptModel.

        The registry has its own copy of the manifest, so that the check also finds a changed manifest.
        """
        found = self.resolve(version)
        self._check_labels(found.manifest, f"model version {found.version}")
        folder = _local(self._client.get_model_version(MODEL_NAME, found.version).source)
        if check_manifest(folder) != found.manifest:
            raise CorruptModel(f"{folder / 'manifest.json'} is not the manifest that was registered")
        return folder

    def aliases(self) -> dict[str, str]:
        """Alias -> version number."""
        found = self._client.get_registered_model(MODEL_NAME).aliases
        return {str(alias): str(version) for alias, version in found.items()}

    def champion(self) -> ModelVersion | None:
        """The version with the alias champion, or None."""
        name = self.aliases().get("champion")
        return None if name is None else self.resolve(name)

    def set_alias(self, alias: str, version: str) -> None:
        """Give `alias` to a version. Raises UnknownVersion for an unknown version or alias."""
        if alias not in ALIASES:
            raise UnknownVersion(f"{alias!r} is no alias; there are: {', '.join(ALIASES)}")
        self._client.set_registered_model_alias(MODEL_NAME, alias, self.resolve(version).version)

    def record_verdict(self, version: str, verdict: Verdict) -> None:
        """Store the gate's verdict on a version; a later verdict replaces an earlier one."""
        number = self.resolve(version).version
        self._client.set_model_version_tag(MODEL_NAME, number, "verdict", verdict.model_dump_json())

    def _check_labels(self, manifest: Manifest, what: str) -> None:
        if set(manifest.labels) != set(self._labels):
            raise BadInput(
                f"{what} has the labels {', '.join(manifest.labels)} of the label scheme {manifest.scheme}; "
                f"the labels here are {', '.join(self._labels)}"
            )

    @cached_property
    def _client(self) -> "MlflowClient":
        self._artifacts.mkdir(parents=True, exist_ok=True)
        with self._lock:
            client = _connect(self._uri)
            if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
                client.create_registered_model(MODEL_NAME)
            if client.get_experiment_by_name(MODEL_NAME) is None:
                client.create_experiment(MODEL_NAME, artifact_location=self._artifacts.as_uri())
        return client

    @cached_property
    def _experiment(self) -> str:
        return str(self._client.get_experiment_by_name(MODEL_NAME).experiment_id)

    def _entries(self) -> list[Any]:
        entries: list[Any] = []
        token: str | None = ""
        while token is not None:
            page = self._client.search_model_versions(f"name = '{MODEL_NAME}'", page_token=token or None)
            entries.extend(page)
            token = page.token or None
        return entries


def _connect(uri: str) -> "MlflowClient":
    # MLflow sends usage data to its makers unless this switch is set; it reads the switch only on import.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _version(entry: Any, aliases: dict[str, str]) -> ModelVersion:
    number = str(entry.version)
    verdict = entry.tags.get("verdict")
    return ModelVersion(
        version=number,
        created_at=datetime.fromtimestamp(entry.creation_timestamp / 1000, UTC),
        aliases=tuple(alias for alias, version in aliases.items() if version == number),
        manifest=_manifest(entry),
        verdict=None if verdict is None else Verdict.model_validate_json(verdict),
    )


def _manifest(entry: Any) -> Manifest:
    return Manifest.model_validate_json(entry.tags["manifest"])


def _local(uri: str) -> Path:
    # All processes share the folder of artifacts, so that a version can be checked in place.
    address = urlparse(uri)
    if address.scheme not in ("", "file"):
        raise CorruptModel(
            f"the model at {uri} does not lie in a folder; finloop reads models from shared folders only"
        )
    return Path(unquote(address.path))
