"""The one composition root: settings in, parts out. No Prefect here, and nothing is opened before it is asked for."""

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
from storage.labels.annotations import Labels
from storage.labels.inbox import Inbox
from storage.labels.projects import Projects
from storage.labels.tasks import Tasks
from storage.sql.database import migrate, open_database
from storage.texts.store import TextStore
from storage.work.leases import Leases
from storage.work.outbox import Outbox

if TYPE_CHECKING:
    from labeling.studio.client import Studio
    from storage.models.registry import Registry
    from training.data.phrasebank import PhraseBank
    from training.model.base_model import BaseModel


class Parts:
    """Every part that a flow, a process or a verb may need, made on first use and closed together."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._engines: list[Engine] = []

    @cached_property
    def engine(self) -> Engine:
        """The label store's database, its schema up to date."""
        return self._open(self.settings.labels_url)

    @cached_property
    def texts(self) -> TextStore:
        """Elasticsearch where an address is set, else the embedded store; never one in place of the other."""
        if self.settings.elasticsearch_url is not None:
            from storage.texts.elastic import ElasticTextStore

            return ElasticTextStore(self.settings.elasticsearch_url, self.settings.elasticsearch_index)
        from storage.texts.sql import SqlTextStore

        return SqlTextStore(self._open(self.settings.texts_url))

    @cached_property
    def inbox(self) -> Inbox:
        """Webhooks as they came."""
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

        return Registry(self.settings.registry_url, self.settings.home.resolve() / "models")

    @cached_property
    def studio(self) -> "Studio":
        """Label Studio's API."""
        from labeling.studio.client import Studio

        return Studio(self.settings.needed("label_studio_url"), self.settings.needed("label_studio_token"))

    @cached_property
    def base_model(self) -> "BaseModel":
        """The model that every training starts from."""
        from training.model.base_model import find_base_model

        return find_base_model(self.settings.base_model, self.downloads)

    @cached_property
    def phrasebank(self) -> "PhraseBank":
        """The PhraseBank rows of the chosen agreement level."""
        from training.data.phrasebank import read_phrasebank

        return read_phrasebank(self.phrasebank_folder(), self.settings.phrasebank_agreement)

    @property
    def downloads(self) -> Path:
        """Where what comes from the hub is kept."""
        return self.settings.home.resolve() / "downloads"

    def phrasebank_folder(self) -> Path:
        """The folder that the PhraseBank is read from, fetched or generated first where need be."""
        if self.settings.phrasebank == "hub":
            from training.data.phrasebank import fetch_phrasebank

            return fetch_phrasebank(self.downloads)
        if self.settings.phrasebank == "sample":
            return self.settings.home.resolve() / "sample"
        return Path(self.settings.phrasebank)

    def close(self) -> None:
        """Close what was opened."""
        if "texts" in self.__dict__:
            self.texts.close()
        if "studio" in self.__dict__:
            self.studio.close()
        for engine in self._engines:
            engine.dispose()

    def _open(self, url: str) -> Engine:
        engine = open_database(url, embedded=self.settings.database_url is None)
        with ExitStack() as undo:
            undo.callback(engine.dispose)
            migrate(engine)
            undo.pop_all()
        self._engines.append(engine)
        return engine


@contextmanager
def open_parts(settings: Settings | None = None) -> Iterator[Parts]:
    """The parts of these settings (by default those of the environment), closed at the end of the block."""
    made = Parts(settings or load_settings())
    with settings_named(), closing(made):
        yield made
