"""Model versions and their aliases: MLflow keeps the names, the manifest beside the weights keeps the facts.

The registry stores plain folders and uses none of MLflow's model flavours, because these load models with remote code
allowed. MLflow's database is other people's too: what is not ours is named and passed over. Importing the MLflow client
takes 1.5 s, so the first call that needs the client imports it.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from storage.errors import BadInput, CorruptModel, Full, Part, UnknownVersion
from storage.models.entries import ForeignVersion, fault, names, tags_of, version_of
from storage.models.entries import ModelVersion as ModelVersion  # noqa: PLC0414 - its public name
from storage.models.manifest import Manifest, check_manifest
from storage.models.mlflow_store import connect, connect_to_read, database_file, has_schema, named
from storage.models.places import PLACE_TAG, UNREGISTERED, copy_model, folder_of, kept, place_of
from storage.models.registration import MODEL_NAME, OURS, forget, prepared, registered
from storage.models.verdict import Verdict
from storage.models.worth import Evidence
from storage.sql.files import check_file, is_writable, private_file, private_folder

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ALIASES = ("champion", "challenger", "previous")
CURE = (
    "Put a sound copy of {folder} back. Or serve another version than {version}: `finloop models` lists them, "
    "`finloop deploy VERSION --force` serves one."
)
"""What helps where a model folder is damaged."""


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

    def prepare(self, size: int = 0) -> tuple[str, ...]:
        """Make MLflow's schema, our experiment and our model name where they are missing (4.5 s the first time).

        Returns a sentence for each thing that was deleted in MLflow and is restored. Raises an error that names the
        home where a model of `size` bytes could not be registered: no rights, or no space for it and for its copy.
        """
        with self._writing() as client:
            (self._artifacts / UNREGISTERED).mkdir(exist_ok=True)  # on a full disk it could not be made
            free = shutil.disk_usage(self._artifacts).free
            if free < 2 * size:
                wanted = f"a model needs {2 * size / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free"
                raise Full(Part.HOME, str(self._artifacts), wanted)
            return prepared(client, self._artifacts)

    def register(self, folder: Path) -> ModelVersion:
        """Copy the model in `folder` to the artifacts and give it a version. A dataset and recipe have one version.

        A registration that fails leaves no files and no running run. Raises CorruptModel where the folder, or its copy,
        does not match the manifest, and errors that name the home.
        """
        manifest = check_manifest(folder)
        self._check_labels(manifest, str(folder))
        with self._writing() as client:
            prepared(client, self._artifacts)
            known = self.find(manifest.dataset_version, manifest.recipe_hash)
            if known is not None:
                return known
            name = f"{manifest.dataset_version[:12]} {manifest.base_model}"
            experiment = client.get_experiment_by_name(MODEL_NAME).experiment_id
            run = client.create_run(experiment, run_name=name, tags=OURS).info.run_id
            try:
                made = registered(client, run, folder, manifest, self._artifacts)
            except BaseException:
                forget(client, run, self._artifacts)
                raise
        return version_of(made, {})

    def adopt(self, version: str, folder: Path) -> ModelVersion:
        """Take over a version that is not ours: copy `folder`, which has a manifest, and give the version its facts.

        Raises UnknownVersion before anything is copied. `folder` must not lie in the registry's own artifacts.
        """
        self._entry(version)
        manifest = check_manifest(folder)
        self._check_labels(manifest, str(folder))
        with self._writing() as client:
            place = place_of(f"adopted-{version}")
            try:
                shutil.rmtree(self._artifacts / place, ignore_errors=True)
                copy_model(folder, self._artifacts / place)
            except BaseException:
                shutil.rmtree(self._artifacts / place.parts[0], ignore_errors=True)
                raise
            # The manifest comes last: it makes the version ours.
            for name, value in {PLACE_TAG: str(place), **tags_of(manifest)}.items():
                client.set_model_version_tag(MODEL_NAME, version, name, value)
        return self.resolve(version)

    def source(self, version: str) -> Path:
        """The folder of any version, ours or not, unchecked. Raises UnknownVersion, or CorruptModel for no folder."""
        return folder_of(self._entry(version)[0], self._artifacts)

    def kept(self, dataset_version: str, recipe_hash: str) -> Path | None:
        """The folder of a sound model of this dataset and recipe that is no version: its registration failed."""
        wanted = (dataset_version, recipe_hash)
        return next((at for at, one in kept(self._artifacts) if (one.dataset_version, one.recipe_hash) == wanted), None)

    @property
    def artifacts(self) -> Path:
        """The folder of models."""
        return self._artifacts

    def find(self, dataset_version: str, recipe_hash: str) -> ModelVersion | None:
        """The version that was trained on this dataset by this recipe, or None."""
        wanted = (dataset_version, recipe_hash)
        same = (one for one in self.versions() if (one.manifest.dataset_version, one.manifest.recipe_hash) == wanted)
        return next(same, None)

    def versions(self) -> list[ModelVersion]:
        """Every version of ours, oldest first."""
        aliases = self.aliases()
        found = [version_of(one, aliases) for one in self._entries() if fault(one) is None]
        return sorted(found, key=lambda one: int(one.version))

    def foreign(self) -> list[ForeignVersion]:
        """Every version that is not ours, oldest first."""
        aliases = self.aliases()
        found = [
            ForeignVersion(str(one.version), names(aliases, str(one.version)), reason)
            for one in self._entries()
            if (reason := fault(one)) is not None
        ]
        return sorted(found, key=lambda one: int(one.version))

    def resolve(self, name: str) -> ModelVersion:
        """The version with this alias or number. Raises UnknownVersion that lists the known names, or says who made it.

        A version that is not ours has no facts: which labels, which dataset.
        """
        entry, aliases = self._entry(name)
        if (reason := fault(entry)) is not None:
            said = f"version {entry.version}" if name == str(entry.version) else f"{name}, version {entry.version},"
            raise UnknownVersion(
                f"{said} is {reason}.\n`finloop models adopt {entry.version}` takes it over, if it is a classifier of "
                "these labels."
            )
        return version_of(entry, aliases)

    def folder(self, version: str) -> Path:
        """The folder of a version, after a check of every file. Raises UnknownVersion or CorruptModel.

        The registry has its own copy of the manifest, so that the check also finds a changed manifest.
        """
        found = self.resolve(version)
        self._check_labels(found.manifest, f"model version {found.version}")
        folder = self.source(found.version)
        try:
            if check_manifest(folder) != found.manifest:
                raise CorruptModel(f"{folder / 'manifest.json'} is not the manifest that was registered")
        except CorruptModel as error:
            raise CorruptModel(f"{error}.\n{CURE.format(folder=folder, version=found.version)}") from error
        return folder

    def aliases(self) -> dict[str, str]:
        """Alias -> version number."""
        with named(self._uri, self._artifacts):
            client = self._reader
            models = [] if client is None else client.search_registered_models(f"name = '{MODEL_NAME}'")
            if client is None or not models:
                return {}
            found = client.get_registered_model(MODEL_NAME).aliases
        return {str(alias): str(version) for alias, version in found.items()}

    def champion(self) -> ModelVersion | None:
        """The version with the alias champion, or None."""
        name = self.aliases().get("champion")
        return None if name is None else self.resolve(name)

    def set_alias(self, alias: str, version: str) -> None:
        """Give `alias` to a version. Raises UnknownVersion for an unknown version or alias."""
        if alias not in ALIASES:
            raise UnknownVersion(f"{alias!r} is no alias; there are: {', '.join(ALIASES)}")
        number = self.resolve(version).version
        with self._writing() as client:
            client.set_registered_model_alias(MODEL_NAME, alias, number)

    def record_verdict(self, version: str, verdict: Verdict) -> None:
        """Store the gate's verdict on a version; a later verdict replaces an earlier one."""
        number = self.resolve(version).version
        with self._writing() as client:
            client.set_model_version_tag(MODEL_NAME, number, "verdict", verdict.model_dump_json())

    def record_evidence(self, version: str, evidence: Evidence) -> None:
        """Store what was measured of a version; later evidence replaces earlier evidence."""
        number = self.resolve(version).version
        with self._writing() as client:
            client.set_model_version_tag(MODEL_NAME, number, "evidence", evidence.model_dump_json())

    def _check_labels(self, manifest: Manifest, what: str) -> None:
        if set(manifest.labels) != set(self._labels):
            raise BadInput(
                f"{what} has the labels {', '.join(manifest.labels)} of the label scheme {manifest.scheme}; "
                f"the labels here are {', '.join(self._labels)}"
            )

    @cached_property
    def _connected(self) -> "MlflowClient":
        return connect(self._uri)

    @property
    def _reader(self) -> "MlflowClient | None":
        """A client for reads, which makes nothing; None where nothing was ever registered."""
        if "_connected" not in self.__dict__:
            found = connect_to_read(self._uri)
            if found is None:
                return None
            self.__dict__["_connected"] = found
        return self._connected

    @contextmanager
    def _writing(self) -> Iterator["MlflowClient"]:
        """A client that may write, one process at a time. The file is looked at before MLflow is asked."""
        with named(self._uri, self._artifacts):
            private_folder(self._artifacts)
            path = database_file(self._uri)
            if path is not None:
                check_file(path, Part.EMBEDDED_DATABASE)
            if not is_writable(self._artifacts):
                raise BadInput(f"nothing can be written to {self._artifacts}", Part.HOME)
            with self._lock:
                self._make_database(path)
                yield self._connected

    def _make_database(self, path: Path | None) -> None:
        """Make MLflow's schema where it is missing; half a schema would never become whole."""
        if path is None or has_schema(path):
            return
        new = not path.exists() or path.stat().st_size == 0
        private_file(path)
        try:
            self._connected.search_registered_models(max_results=1)
        except BaseException:
            self.__dict__.pop("_connected", None)
            if new:
                path.unlink(missing_ok=True)
            raise

    def _entry(self, name: str) -> tuple[Any, dict[str, str]]:
        aliases, entries = self.aliases(), self._entries()
        number = aliases.get(name, name)
        for entry in entries:
            if str(entry.version) == number:
                return entry, aliases
        known = ", ".join([*aliases, *sorted((str(entry.version) for entry in entries), key=int)])
        cure = "" if known else ".\n`finloop retrain` makes the first; a folder needs none (predict --model DIR)."
        raise UnknownVersion(f"no model version is called {name!r}; there are: {known or 'none yet'}{cure}")

    def _entries(self) -> list[Any]:
        entries: list[Any] = []
        token: str | None = ""
        with named(self._uri, self._artifacts):
            while token is not None and (client := self._reader) is not None:
                page = client.search_model_versions(f"name = '{MODEL_NAME}'", page_token=token or None)
                entries.extend(page)
                token = page.token or None
        return entries
