"""The verbs about model versions: `finloop models list`, `show`, `adopt` and `report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.cli.terminal import Json, console, counted, errors, print_json, show, show_facts

if TYPE_CHECKING:
    from storage.models.verdict import Check, Verdict

group = typer.Typer(help="The model versions; without a verb, they are listed.", invoke_without_command=True)


@group.callback(epilog="Example:  finloop models show champion")
def default(context: typer.Context, as_json: Json = False) -> None:
    """The model versions; without a verb, they are listed."""
    if context.invoked_subcommand is None:
        list_versions(as_json)


@group.command("list", epilog="Example:  finloop models list --json")
def list_versions(as_json: Json = False) -> None:
    """The model versions, oldest first, with their aliases, datasets and verdicts."""
    from flows.wiring.parts import open_parts

    with open_parts(reading=True) as parts:
        versions, foreign = parts.registry.versions(), parts.registry.foreign()
    rows = [
        {
            "version": one.version,
            "aliases": ", ".join(one.aliases),
            "created": one.created_at.isoformat()[:19],
            "base model": one.manifest.base_model + (" (saw PhraseBank labels)" if one.manifest.exposed else ""),
            "dataset": one.manifest.dataset_version[:12],
            "verdict": one.verdict.decision.said if one.verdict else "not judged",
        }
        for one in versions
    ]
    if as_json:
        verdicts = [{"verdict": _said(one.verdict)} for one in versions]
        print_json(
            [{**row, **verdict} for row, verdict in zip(rows, verdicts, strict=True)]
            + [{"version": one.version, "aliases": ", ".join(one.aliases), "problem": one.reason} for one in foreign]
        )
        return
    show(rows, "Models", as_json=False)
    for judged in versions:  # below the table: a reason is longer than any column
        if judged.verdict is not None:
            said = f"version {judged.version}: {_said(judged.verdict)}"
            console.print(said, markup=False, highlight=False, soft_wrap=True)
    for one in foreign:
        console.print(f"{one.named}: {one.reason}", markup=False, highlight=False, soft_wrap=True)


@group.command(epilog="Example:  finloop models adopt 2")
def adopt(
    name: Annotated[str, typer.Argument(help="A version that MLflow has and finloop did not make, or a folder.")],
    as_json: Json = False,
) -> None:
    """Take over a model that finloop did not train, if it is a classifier of these labels in safetensors."""
    from flows.steps.adopt import adopt as take_over
    from flows.wiring.parts import open_parts

    with open_parts() as parts:
        made = take_over(name, parts.registry, parts.scheme)
    if as_json:
        print_json({"version": made.version, "manifest": made.manifest.model_dump(mode="json")})
        return
    console.print(
        f"version {made.version}: {made.manifest.base_model}; `finloop deploy {made.version} --force` serves it"
    )


@group.command("show", epilog="Example:  finloop models show champion --json")
def show_version(
    version: Annotated[str, typer.Argument(help="A version number or an alias.")], as_json: Json = False
) -> None:
    """One model version: its manifest, metrics and aliases, and the gate's verdict with every check."""
    from flows.wiring.parts import open_parts

    with open_parts(reading=True) as parts:
        one = parts.registry.resolve(version)
    manifest, verdict = one.manifest.model_dump(mode="json"), one.verdict and one.verdict.model_dump(mode="json")
    head = {"version": one.version, "aliases": one.aliases, "created_at": one.created_at.isoformat()}
    if as_json:
        print_json({**head, "manifest": manifest, "verdict": verdict})
        return
    facts = {**head, "aliases": ", ".join(one.aliases) or "none", **manifest, "verdict": _said(one.verdict)}
    said = {
        "recipe": counted(one.manifest.recipe),
        "metrics": counted({name: round(value, 4) for name, value in one.manifest.metrics.items()}),
        "labels": ", ".join(one.manifest.labels),
        "files": "\n".join(one.manifest.files),
    }
    show_facts({name.replace("_", " "): value for name, value in {**facts, **said}.items()}, "Model")
    if one.verdict is not None:
        show([_said_check(check) for check in one.verdict.checks], "Checks", as_json=False)


@group.command("report", epilog="Example:  finloop models report challenger --against champion --output report.html")
def write_report(
    version: Annotated[str, typer.Argument(help="A version number or an alias.")],
    against: Annotated[
        str | None, typer.Option(help="The other version; by default the champion, for the champion `previous`.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The HTML file; by default model-report-VERSION.html.")] = None,
    as_json: Json = False,
) -> None:
    """Write an HTML page: a version beside another one and baselines, on rows that neither version learnt from."""
    from flows.report_page import page, sentence
    from flows.steps.report import report
    from flows.wiring.parts import open_parts

    with open_parts(reading=True) as parts, errors.status("running the versions and the baselines"):
        words = parts.settings.sentiment_words
        made = report(version, against, parts.registry, parts.labels, parts.datasets, parts.texts, parts.scheme, words)
        path = output or Path(f"model-report-{made.version.version}.html")
        path.write_text(page(made), encoding="utf-8")
    if as_json:
        other = made.other and made.other.version
        rows = {one.title: len(one.this) if one.this else 0 for one in made.grounds}
        print_json(
            {"version": made.version.version, "against": other, "file": path, "rows": rows, "sentence": sentence(made)}
        )
        return
    console.print(f"{sentence(made)}\n{path}", markup=False, highlight=False, soft_wrap=True)


def _said(verdict: "Verdict | None") -> str:
    return "not judged" if verdict is None else f"{verdict.decision.said}: {verdict.reason}"


def _said_check(check: "Check") -> dict[str, str]:
    """A check as a row of the table, its numbers with four figures."""
    passed = "yes" if check.passed else "no"
    return {"passed": passed, "value": f"{check.value:.4g}", "threshold": f"{check.threshold:.4g}", "why": check.why}
