"""The composition root: it makes all parts from the settings, each on its first use, and knows no Prefect."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine

from flows.wiring.cures import settings_named
from flows.wiring.settings import Settings, load_settings
from labeling.answer.consensus import consensus
from storage.datasets.versions import Datasets
from storage.errors import BadInput
from storage.labels.annotations import Labels
from storage.labels.inbox import Inbox
from storage.labels.projects import Projects
from storage.labels.tasks import Tasks
from storage.scheme import Scheme, find_scheme
from storage.sql.database import migrate, open_database
from storage.sql.home import home_identity, keep_scheme, other_scheme
from storage.sql.read_only import open_to_read
from storage.texts.intake import Intake
from storage.texts.store import TextStore
from storage.work.leases import Leases
from storage.work.outbox import Outbox
from storage.work.problems import Problems

if TYPE_CHECKING:
    from flows.steps.asking import Wanted
    from labeling.studio.client import Studio
    from storage.models.registry import Registry
    from training.data.seed import SeedData
    from training.model.base_model import BaseModel


class Parts:
    """Every part that a flow, a process or a verb may need, made on first use and closed together.

    `reading`: the stores of the home are opened for reads only, and the home is left as it is, even where it is not
    there yet.
    """

    def __init__(self, settings: Settings, *, reading: bool = False) -> None:
        self.settings, self.reading = settings, reading
        self._engines: list[Engine] = []

    @cached_property
    def scheme(self) -> Scheme:
        """The label scheme."""
        return find_scheme(self.settings.scheme)

    @cached_property
    def engine(self) -> Engine:
        """The label store's database, its schema up to date. Raises BadInput where it keeps another label scheme."""
        engine, scheme = self._open(self.settings.labels_url), self.scheme
        kept = other_scheme(engine, scheme) if self.reading else keep_scheme(engine, scheme)
        if kept is not None:
            raise BadInput(
                f"this home keeps the label scheme {kept}, and FINLOOP_SCHEME={self.settings.scheme} is "
                f"{scheme.name} ({', '.join(scheme.names)}): set it back, or begin another home (FINLOOP_HOME)"
            )
        return engine

    @cached_property
    def home_identity(self) -> str:
        """The id of this home, which tells two homes apart on servers that they share."""
        return home_identity(self.engine)

    @cached_property
    def texts(self) -> TextStore:
        """Elasticsearch where its address is set, else the embedded store; no store replaces a failed other."""
        if self.settings.elasticsearch_url is not None:
            from storage.texts.elastic import ElasticTextStore
            from storage.texts.elastic_connection import Access

            key = self.settings.elasticsearch_api_key
            access = Access(self.settings.elasticsearch_ca, key.get_secret_value() if key else None)
            return ElasticTextStore(self.settings.elasticsearch_url, self.settings.elasticsearch_index, access=access)
        from storage.texts.sql import SqlTextStore

        return SqlTextStore(self._open(self.settings.texts_url))

    @property
    def intake(self) -> Intake:
        """The maker of new texts, which decides their audit flags."""
        return Intake(self.settings.audit_salt, self.settings.audit_share)

    @cached_property
    def inbox(self) -> Inbox:
        """The received webhooks."""
        return Inbox(self.engine)

    @cached_property
    def tasks(self) -> Tasks:
        """Label tasks."""
        return Tasks(self.engine)

    @cached_property
    def labels(self) -> Labels:
        """Annotations and labels."""
        return Labels(self.engine, consensus)

    @cached_property
    def outbox(self) -> Outbox:
        """Intents."""
        return Outbox(self.engine)

    @cached_property
    def problems(self) -> Problems:
        """The problems that status shows."""
        return Problems(self.engine)

    @cached_property
    def leases(self) -> Leases:
        """Leases."""
        return Leases(self.engine)

    @cached_property
    def projects(self) -> Projects:
        """Our Label Studio projects."""
        return Projects(self.engine)

    @cached_property
    def datasets(self) -> Datasets:
        """Dataset versions."""
        return Datasets(self.engine)

    @cached_property
    def registry(self) -> "Registry":
        """Model versions and their aliases."""
        from storage.models.registry import Registry

        return Registry(self.settings.registry_url, self.settings.home.resolve() / "models", self.scheme.names)

    @cached_property
    def studio(self) -> "Studio":
        """Label Studio's API."""
        from labeling.studio.client import Studio

        return Studio(self.settings.needed("label_studio_url"), self.settings.needed("label_studio_token"))

    @property
    def wanted_project(self) -> "Wanted":
        """What our Label Studio project must have."""
        from flows.steps.asking import Wanted
        from labeling.studio.marker import Owner

        needed = self.settings.needed
        owner = Owner(self.settings.label_studio_project, self.home_identity)
        return Wanted(needed("receiver_url"), needed("webhook_secret"), owner, self.scheme)

    @cached_property
    def base_model(self) -> "BaseModel":
        """The model that every training starts from."""
        from training.model.base_model import find_base_model

        return find_base_model(self.settings.base_model, self.downloads)

    @cached_property
    def seed(self) -> "SeedData":
        """The seed data: the PhraseBank at the chosen agreement level, or a labelled CSV."""
        from training.data.seed import read_seed

        return read_seed(self.seed_path(), self.settings.agreement, self.scheme)

    @property
    def downloads(self) -> Path:
        """The folder for downloads from the hub."""
        return self.settings.home.resolve() / "downloads"

    def seed_path(self) -> Path:
        """The folder or file of the seed data. A missing PhraseBank of the hub is fetched; a sample is not written."""
        if self.settings.seed_data == "hub":
            from training.data.phrasebank import fetch_phrasebank

            return fetch_phrasebank(self.downloads)
        if self.settings.seed_data == "sample":
            from training.data.sample.writer import sample_seed

            return sample_seed(self.sample_folder, self.scheme)
        return Path(self.settings.seed_data)

    @property
    def embeddings(self) -> Path:
        """The folder of the embeddings that a select keeps for the next."""
        return self.settings.home.resolve() / "cache" / "embeddings"

    @property
    def sample_folder(self) -> Path:
        """The folder of finloop's own sample."""
        return self.settings.home.resolve() / "sample"

    def close(self) -> None:
        """Close all opened parts."""
        if "texts" in self.__dict__:
            self.texts.close()
        if "studio" in self.__dict__:
            self.studio.close()
        for engine in self._engines:
            engine.dispose()

    def _open(self, url: str) -> Engine:
        embedded = self.settings.database_url is None
        if self.reading:
            self._engines.append(open_to_read(url, embedded=embedded))
            return self._engines[-1]
        engine = open_database(url, embedded=embedded)
        with ExitStack() as undo:
            undo.callback(engine.dispose)
            migrate(engine)
            undo.pop_all()
        self._engines.append(engine)
        return engine


@contextmanager
def open_parts(settings: Settings | None = None, *, reading: bool = False) -> Iterator[Parts]:
    """The parts of these settings (by default those of the environment), closed at the end of the block."""
    made = Parts(settings or load_settings(), reading=reading)
    with settings_named(), closing(made), _home_named(made.settings.home.resolve()):
        yield made


@contextmanager
def _home_named(home: Path) -> Iterator[None]:
    """Name the home in every error of its files that no part has named."""
    try:
        yield
    except OSError as error:
        if error.filename is None or not Path(error.filename).is_relative_to(home):
            raise
        from storage.models.mlflow_store import of_folder

        raise of_folder(error, home) from error
