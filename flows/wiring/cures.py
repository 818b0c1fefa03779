"""The setting that chooses each part, and the cure of an error of that part. No other module names them."""

from collections.abc import Iterator
from contextlib import contextmanager

from storage.errors import FinloopError, Full, Locked, Part, Refused, TurnedAway

CURES: dict[Part, tuple[str, str]] = {
    Part.DATABASE: (
        "FINLOOP_DATABASE_URL",
        "Start it, correct the address, or unset the variable to keep labels in the embedded database.",
    ),
    Part.EMBEDDED_DATABASE: (
        "FINLOOP_HOME",
        "Make folder and file writable, put a sound copy of a damaged file back, or name another folder.",
    ),
    Part.ELASTICSEARCH: (
        "FINLOOP_ELASTICSEARCH_URL",
        "Start it, correct the address, or unset the variable to keep texts in the embedded store.",
    ),
    Part.ELASTICSEARCH_INDEX: (
        "FINLOOP_ELASTICSEARCH_INDEX",
        "Correct what the server names, or name another index or alias; finloop makes an index that is not there yet.",
    ),
    Part.ELASTICSEARCH_CA: (
        "FINLOOP_ELASTICSEARCH_CA",
        "Set it to the certificate of the server's own CA (http_ca.crt among Elasticsearch's certs), a PEM file.",
    ),
    Part.LABEL_STUDIO: (
        "FINLOOP_LABEL_STUDIO_URL",
        "Start it, correct the address, or unset the variable to have `finloop up` start one.",
    ),
    Part.LABEL_STUDIO_TOKEN: (
        "FINLOOP_LABEL_STUDIO_TOKEN",
        "Copy a token from Account & Settings there, legacy or personal, of a user who may edit the project.",
    ),
    Part.PREFECT: ("FINLOOP_PREFECT_URL", "Start it with `finloop up`, or correct the address."),
    Part.SERVING: ("FINLOOP_SERVING_URL", "Start it with `finloop up`, or correct the address."),
    Part.BASE_MODEL: (
        "FINLOOP_BASE_MODEL",
        "Set it to `minilm`, to a model's directory, or to a name on the Hugging Face hub (owner/name).",
    ),
    Part.SEED_DATA: (
        "FINLOOP_SEED_DATA",
        "Set it to `sample`, to `hub`, to a folder with the Sentences_*Agree.txt files, or to a CSV with text,label.",
    ),
    Part.SCHEME: ("FINLOOP_SCHEME", "Set it to a packaged scheme, or to the TOML file of one of yours."),
    Part.SENTIMENT_WORDS: (
        "FINLOOP_SENTIMENT_WORDS",
        "Set it to a CSV with the columns word and sentiment, or unset the variable to report without that baseline.",
    ),
    Part.HOME: ("FINLOOP_HOME", "Make the folder writable, put a sound copy back, or name another folder."),
}

REFUSED: dict[Part, tuple[str, str]] = {
    Part.ELASTICSEARCH: (
        "FINLOOP_ELASTICSEARCH_URL",
        "Put user and password of an account that may read and write the index into the address, "
        "or set FINLOOP_ELASTICSEARCH_API_KEY.",
    ),
    Part.PREFECT: (
        "FINLOOP_PREFECT_AUTH",
        "Set it to the user:password that the server was given (PREFECT_SERVER_API_AUTH_STRING).",
    ),
}
"""The cures where a part responds and refuses us."""

SPACE = "Make space on its disk, then try again: what was stored before is whole."
ADMITTED = "Correct user, password and name of the database in the address, or make the database there."
HELD = "Wait for that process or stop it, then try again."
OTHER: dict[type[FinloopError], dict[Part, tuple[str, str]]] = {
    Refused: REFUSED,
    TurnedAway: {Part.DATABASE: ("FINLOOP_DATABASE_URL", ADMITTED)},
    Full: dict.fromkeys((Part.EMBEDDED_DATABASE, Part.HOME), ("FINLOOP_HOME", SPACE)),
    Locked: dict.fromkeys((Part.EMBEDDED_DATABASE, Part.HOME), ("FINLOOP_HOME", HELD)),
}
"""The cures of some kinds of error, instead of the cure of the part."""


def name_setting(error: FinloopError) -> None:
    """Add setting and cure to an error of a part. An error with a setting, or without a part, stays unchanged."""
    if error.part is not None and not error.setting:
        own = (cures[error.part] for kind, cures in OTHER.items() if isinstance(error, kind) and error.part in cures)
        error.setting, error.cure = next(own, CURES[error.part])


@contextmanager
def settings_named() -> Iterator[None]:
    """Add setting and cure to every FinloopError that leaves the block."""
    try:
        yield
    except FinloopError as error:
        name_setting(error)
        raise
