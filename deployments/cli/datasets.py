"""The verbs about dataset versions: `finloop datasets list` and `finloop datasets show`."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployments.cli.terminal import Json, counted, print_json, show, show_facts

if TYPE_CHECKING:
    from storage.datasets.versions import Datasets

group = typer.Typer(help="The dataset versions; without a verb, they are listed.", invoke_without_command=True)


@group.callback(epilog="Example:  finloop datasets show 3f2a9c")
def default(context: typer.Context, as_json: Json = False) -> None:
    """The dataset versions; without a verb, they are listed."""
    if context.invoked_subcommand is None:
        list_versions(as_json)


@group.command("list", epilog="Example:  finloop datasets list --json")
def list_versions(as_json: Json = False) -> None:
    """The dataset versions, newest first, with their parents and counts."""
    from flows.wiring.parts import open_parts
    from storage.datasets.parents import in_words
    from storage.records import Parent

    with open_parts(reading=True) as parts:
        found = parts.datasets.summaries()
    if as_json:
        print_json(found)
        return
    show(
        [
            {
                "version": one["version"][:12],
                "created": one["created_at"][:19],
                "made from": in_words((Parent(**parent) for parent in one["parents"]), one["label_watermark"]),
                "rows": counted(one["rows"]),
                "left out": counted(one["dropped"]),
                "judged": (one["judged_at"] or "no")[:19],
            }
            for one in found
        ],
        "Datasets",
        as_json=False,
    )


@group.command("show", epilog="Example:  finloop datasets show 3f2a9c --json")
def show_version(
    version: Annotated[str, typer.Argument(help="A version, or its first characters.")], as_json: Json = False
) -> None:
    """One dataset version: its parents, its rows by split and label, the dropped texts, the models trained on it."""
    from flows.wiring.parts import open_parts
    from storage.datasets.parents import in_words
    from storage.records import Parent

    with open_parts(reading=True) as parts:
        summary = _find(parts.datasets, version)
        rows = parts.datasets.load(summary["version"]).rows
        made = [one for one in parts.registry.versions() if one.manifest.dataset_version == summary["version"]]
    by_split: dict[str, Counter[str]] = {}
    for row in rows:
        by_split.setdefault(row.split, Counter())[row.label] += 1
    models = {one.version: one.verdict.decision if one.verdict else None for one in made}
    found: dict[str, Any] = {**summary, "rows": by_split, "models": models}
    if as_json:
        print_json(found)
        return
    said = {
        "parents": in_words((Parent(**parent) for parent in summary["parents"]), summary["label_watermark"]),
        "rows": "\n".join(f"{split}: {counted(labels)}" for split, labels in by_split.items()),
        "dropped": counted(summary["dropped"]) or "none",
        "judged_at": summary["judged_at"] or "not judged",
        "models": "\n".join(f"version {name}: {decision or 'not judged'}" for name, decision in models.items())
        or "none",
    }
    show_facts({name.replace("_", " "): value for name, value in {**found, **said}.items()}, "Dataset")


def _find(datasets: "Datasets", name: str) -> dict[str, Any]:
    from storage.errors import BadInput, UnknownVersion

    found = [one for one in datasets.summaries() if one["version"].startswith(name)]
    if not found:
        raise UnknownVersion(f"there is no dataset {name!r}; `finloop datasets` lists them")
    if len(found) > 1:
        raise BadInput(f"{len(found)} datasets begin with {name!r}; give more of the version")
    return found[0]
