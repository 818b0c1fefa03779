"""What MLflow's model versions say: those of ours have a manifest, those of other people are named."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from storage.models.manifest import Manifest
from storage.models.verdict import Verdict
from storage.models.worth import Evidence


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered model. `verdict` is None until the gate has judged it; `evidence` was measured after that."""

    version: str
    created_at: datetime
    aliases: tuple[str, ...]
    manifest: Manifest
    verdict: Verdict | None
    evidence: Evidence = field(default_factory=Evidence)

    @property
    def named(self) -> str:
        """Like `version 2 (champion)`."""
        return _named(self.version, self.aliases)


@dataclass(frozen=True, slots=True)
class ForeignVersion:
    """A version that somebody else made in MLflow, or whose manifest cannot be read; `reason` says which."""

    version: str
    aliases: tuple[str, ...]
    reason: str

    @property
    def named(self) -> str:
        """Like `version 2 (champion)`: a champion that is not ours stops every score and verdict."""
        return _named(self.version, self.aliases)


def _named(version: str, aliases: tuple[str, ...]) -> str:
    return f"version {version} ({', '.join(aliases)})" if aliases else f"version {version}"


def fault(entry: Any) -> str | None:
    """Why a version is not ours, or None."""
    if "manifest" not in entry.tags:
        return "not registered by finloop"
    try:
        _manifest(entry)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        return f"not registered by this finloop: its manifest cannot be read ({reason})"
    return None


def version_of(entry: Any, aliases: dict[str, str]) -> ModelVersion:
    """A version of ours. Raises KeyError or ValidationError where `fault` finds one."""
    number = str(entry.version)
    return ModelVersion(
        version=number,
        created_at=datetime.fromtimestamp(entry.creation_timestamp / 1000, UTC),
        aliases=names(aliases, number),
        manifest=_manifest(entry),
        verdict=_verdict(entry),
        evidence=_evidence(entry),
    )


def names(aliases: dict[str, str], number: str) -> tuple[str, ...]:
    """The aliases of a version."""
    return tuple(alias for alias, version in aliases.items() if version == number)


def _manifest(entry: Any) -> Manifest:
    return Manifest.model_validate_json(entry.tags["manifest"])


def tags_of(manifest: Manifest) -> dict[str, str]:
    """The tags by which a version is ours."""
    return {
        "dataset_version": manifest.dataset_version,
        "recipe_hash": manifest.recipe_hash,
        "manifest": manifest.model_dump_json(),
    }


def _verdict(entry: Any) -> Verdict | None:
    """The verdict; one that was changed by hand and cannot be read is none, so that the gate judges again."""
    try:
        return None if (said := entry.tags.get("verdict")) is None else Verdict.model_validate_json(said)
    except ValidationError:
        return None


def _evidence(entry: Any) -> Evidence:
    """The evidence; there is none where nothing was measured, or where it cannot be read."""
    try:
        return Evidence.model_validate_json(entry.tags.get("evidence", "{}"))
    except ValidationError:
        return Evidence()
