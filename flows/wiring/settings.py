"""Every setting of finloop, in one class. Each is an environment variable FINLOOP_<NAME>, or a line of `.env`.

`finloop up` writes the addresses and secrets of the processes that it started to FINLOOP_HOME/finloop.env. The
environment wins over `.env`, and `.env` wins over that file; the folder in which that file lies is its home. Run
parameters hold policy only, never an address.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

from flows.prefect_api.server import PrefectServer
from flows.wiring.written import WRITTEN_BY_UP, as_of_today, check_readable
from storage.errors import BadInput
from storage.scheme import DEFAULT
from storage.sql.files import sqlite_url

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_STRATEGY = "margin"
"""The query strategy of a home whose settings and policies name none."""

RENAMED = {"finloop_phrasebank": "finloop_seed_data", "finloop_phrasebank_agreement": "finloop_agreement"}
"""Old name -> new name, in lower case as pydantic-settings reads them. Old names still work."""


def _unset(value: object) -> object:
    return None if value == "" else value


def _address(url: str | None) -> str | None:
    if url is None:
        return None
    if not url.startswith(("http://", "https://")):
        raise ValueError("an address begins with http:// or https://")
    try:
        port = urlsplit(url).port
        host = httpx.URL(url).raw_host.decode().encode("idna")
    except (ValueError, httpx.InvalidURL):
        host, port = b"", 0
    if not host or port == 0:
        # The libraries' own message would quote a piece of the address, which may be a piece of a password.
        raise ValueError(f"its host, or its port (a number from 1 to 65535), cannot be used{_password_hint(url)}")
    return url.rstrip("/")


def _password_hint(url: str) -> str:
    """The cure where a password holds a character that ends the host of an address."""
    before, at, _ = url.partition("://")[2].rpartition("@")
    return "; write # / ? in a password as %23 %2F %3F" if at and set("#/?") & set(before) else ""


def _prefect_address(url: str | None) -> str | None:
    if url is not None and url.endswith("/api"):
        raise ValueError("leave out the /api at its end, which belongs to PREFECT_API_URL only")
    return url


def _masked(value: str) -> str:
    """The value without the user and password of an address, whatever else is wrong with it."""
    return re.sub(r"^([a-z][a-z0-9+.-]*://)?.*@", r"\1***@", value, flags=re.IGNORECASE | re.DOTALL)


def _agreement(value: object) -> object:
    return 100 if str(value).lower() == "all" else int(str(value))


EmptyIsUnset = BeforeValidator(_unset)
Address = Annotated[str | None, EmptyIsUnset, AfterValidator(_address)]
PrefectAddress = Annotated[Address, AfterValidator(_prefect_address)]
Secret = Annotated[SecretStr | None, EmptyIsUnset]


class Settings(BaseSettings):
    """The settings. The README's table is made from their descriptions."""

    model_config = SettingsConfigDict(env_prefix="FINLOOP_", extra="ignore", frozen=True, hide_input_in_errors=True)

    home: Path = Field(Path(".finloop"), description="the work folder: databases, models, logs, downloads")
    scheme: str = Field(DEFAULT, description="the label scheme: a packaged one, or a TOML file of your own")
    database_url: Annotated[str | None, EmptyIsUnset] = Field(None, description="PostgreSQL; unset: SQLite in the home")
    elasticsearch_url: Address = Field(None, description="Elasticsearch 8.19+ for texts; unset: the database")
    elasticsearch_index: str = Field(
        "finloop-texts", pattern=r"^[a-z0-9][a-z0-9._-]*$", description="the texts' index, or an alias of one"
    )
    elasticsearch_ca: Annotated[Path | None, EmptyIsUnset] = Field(
        None, description="the CA file (PEM) of an Elasticsearch with a certificate of its own"
    )
    elasticsearch_api_key: Secret = Field(
        None, description="an API key for Elasticsearch, in place of user and password"
    )
    label_studio_url: Address = Field(None, description="a Label Studio of your own; unset: `up` starts one")
    label_studio_token: Secret = Field(None, description="Label Studio's API token, legacy or personal")
    label_studio_project: str = Field(
        "sentiment",
        pattern=r"^[A-Za-z0-9_-]+$",
        description="the name in our project's marker; a copied home on the same server needs another",
    )
    prefect_url: PrefectAddress = Field(
        None, description="a Prefect server of your own, which homes may share; unset: `up` starts one"
    )
    prefect_auth: Secret = Field(
        None, description="the login of Prefect's API and pages, as user:password; `up` makes one for its own server"
    )
    prefect_suffix: str = Field(
        "",
        pattern=r"^(-[A-Za-z0-9-]+)?$",
        description="added to the names of deployments, pools and events on a Prefect server that homes share; "
        "unset: `up` takes the home's id for a server of yours",
    )
    serving_url: Address = Field(None, description="the address of the serving app; unset: `up` starts one")
    receiver_url: Address = Field(None, description="the receiver's address for Label Studio; unset: `up` starts one")
    seed_data: str = Field("sample", description="`sample`, `hub` (the PhraseBank), its folder, or a text,label CSV")
    agreement: Annotated[Literal[50, 66, 75, 100], BeforeValidator(_agreement)] = Field(
        50, description="how many of the PhraseBank's annotators must agree, in per cent: 50, 66, 75 or 100"
    )
    sentiment_words: Annotated[Path | None, EmptyIsUnset] = Field(
        None, description="a CSV word,sentiment (Loughran-McDonald), a baseline in `models report`; unset: without it"
    )
    base_model: str = Field("minilm", description="`minilm` (packaged), a folder, or a name such as ProsusAI/finbert")
    strategy: str = Field(
        DEFAULT_STRATEGY,
        min_length=1,
        description="the query strategy of `select` where its policy names none: the name of one, or "
        "`package.module:function`",
    )
    retrain_after: int = Field(100, ge=1, le=1_000_000, description="how many new trainable labels start a retrain")
    audit_share: float = Field(0.1, gt=0, le=0.5, description="share of texts that only measure accuracy, for ever")
    audit_salt: str = Field("finloop", min_length=1, description="salt of the hash that chooses the audit share")
    webhook_secret: Secret = Field(None, description="the secret in Label Studio's webhooks; `up` makes one")
    admin_token: Secret = Field(None, description="the token of the serving app's admin calls; `up` makes one")
    keep_days: int = Field(14, ge=1, le=3650, description="days that webhooks, finished intents and runs are kept")
    log_predictions: bool = Field(True, description="store served texts, so that annotators can be asked about them")
    label_studio: Path = Field(
        REPOSITORY / ".venv-label-studio" / "bin" / "label-studio", description="the Label Studio that `up` starts"
    )

    @classmethod
    def settings_customise_sources(cls, settings_cls: type[BaseSettings], *_: Any, **sources: Any) -> tuple[Any, ...]:
        """The sources, strongest first: the environment, then the files from last to first. Old names become new.

        With pydantic's aliases, a new name in a weaker file would win over an old name in a stronger one.
        """
        given = sources["dotenv_settings"].env_file or ()
        files = (given,) if isinstance(given, str | Path) else tuple(given)
        read = [DotEnvSettingsSource(settings_cls, env_file=path) for path in files[::-1]]
        for path, source in zip(files[::-1], read, strict=True):
            if Path(path).name == WRITTEN_BY_UP and source.env_vars:
                source.env_vars = as_of_today(source.env_vars, Path(path).parent)
        places = [sources["env_settings"], *read]
        for place in places:
            renamed = {new: place.env_vars[old] for old, new in RENAMED.items() if old in place.env_vars}
            place.env_vars = {**renamed, **place.env_vars}
        return (sources["init_settings"], *places)

    @property
    def labels_url(self) -> str:
        """The URL of the label store's database."""
        return self.database_url or sqlite_url(self.home.resolve() / "finloop.db")

    @property
    def texts_url(self) -> str:
        """The URL of the embedded text store: a file of its own, so that scoring never makes a webhook wait."""
        return self.database_url or sqlite_url(self.home.resolve() / "texts.db")

    @property
    def registry_url(self) -> str:
        """The URL of MLflow's database."""
        return sqlite_url(self.home.resolve() / "mlflow.db")

    @property
    def prefect_server(self) -> PrefectServer:
        """The Prefect server, as this home sees it. Raises BadInput where its address is not set."""
        return PrefectServer(self.needed("prefect_url"), self.prefect_auth, self.prefect_suffix)

    def needed(self, name: str) -> str:
        """The value of an address or secret. Raises BadInput naming the setting where it is not set."""
        value = getattr(self, name)
        if value is None:
            raise BadInput(f"FINLOOP_{name.upper()} is not set.\nRun `finloop up` first, or set it to one of your own.")
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def load_settings(*, written_by_up: bool = True) -> Settings:
    """Read the settings. Raises BadInput that names the variable and its fault.

    `written_by_up=False` leaves finloop.env out: `up` must know which servers the user has, and starts the others.
    """
    check_readable(Path(".env"))
    home = Path(os.environ.get("FINLOOP_HOME") or _home_in_dotenv() or ".finloop")
    files = (home / WRITTEN_BY_UP, ".env") if written_by_up else (".env",)
    check_readable(home / WRITTEN_BY_UP)
    try:
        return Settings(_env_file=files)
    except ValidationError as error:
        first = error.errors()[0]
        name = "FINLOOP_" + str(first["loc"][0]).upper()
        raise BadInput(
            f"{name} is {_masked(str(first['input']))!r}: {first['msg']}.\nCorrect it in the environment or in .env."
        ) from error


def settings_table() -> str:
    """README's table, made from the fields, so that the table is always right."""
    lines = [
        f"| FINLOOP_{name.upper()} | {_shown(field.default)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| setting | default | what it is |", "|---|---|---|", *lines])


def _shown(default: object) -> str:
    if default in (None, ""):
        return "unset"
    if isinstance(default, Path) and default.is_absolute():
        default = default.relative_to(REPOSITORY)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _home_in_dotenv() -> str | None:
    from dotenv import dotenv_values

    return dotenv_values(".env").get("FINLOOP_HOME")
