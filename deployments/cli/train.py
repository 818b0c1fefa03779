"""The verbs that need no server: get a base model or data, train on a file, classify texts."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from deployments.cli.terminal import Json, Unescape, bar, console, errors, print_json, show, show_facts


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command(epilog="Example:  FINLOOP_BASE_MODEL=ProsusAI/finbert finloop fetch model")(fetch)
    app.command(epilog="Example:  finloop train --data phrasebank/ --epochs 3 --output model/")(train)
    app.command(epilog='Example:  finloop predict "Profit rose sharply."')(predict)


def fetch(
    what: Annotated[
        Literal["model", "seed", "phrasebank"], typer.Argument(help="What to download; phrasebank means seed.")
    ],
) -> None:
    """Download the base model or the seed data once, and check them; afterwards everything works offline."""
    from deployments.local.data import seed_path
    from flows.wiring.parts import open_parts

    what = "seed" if what == "phrasebank" else what
    with open_parts() as parts, errors.status(f"fetching the {what}"):
        folder = parts.base_model.folder if what == "model" else seed_path(parts)
        named = parts.settings.base_model.lower() if what == "model" else parts.settings.seed_data
    console.print(f"{what}: {folder}", soft_wrap=True)
    if named in ("minilm", "sample"):
        other = "FINLOOP_BASE_MODEL=ProsusAI/finbert" if what == "model" else "FINLOOP_SEED_DATA=hub"
        console.print(f"{named} comes with finloop and nothing was fetched; {other} would fetch one.", soft_wrap=True)


def train(
    data: Annotated[Path, typer.Option(help="A CSV with text,label, or a PhraseBank folder.")],
    output: Annotated[Path, typer.Option(help="The folder for the model, new or empty.")],
    base_model: Annotated[str | None, typer.Option(help="minilm, a folder or a hub name; unset: the setting.")] = None,
    epochs: Annotated[int, typer.Option(min=1, max=20, help="How often the training passes over all rows.")] = 4,
    lr: Annotated[
        float | None, typer.Option(min=1e-6, max=1e-2, help="Highest learning rate; unset: by the model's size.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, max=256, help="Rows in one training step.")] = 16,
    limit: Annotated[int | None, typer.Option(min=3, help="Train on this many rows at most.")] = None,
    unescape: Unescape = False,
    as_json: Json = False,
) -> None:
    """Train a model on a file or folder, with no server, and measure it on rows that it never saw."""
    from deployments.cli.offline import train_offline
    from training.model.recipe import Recipe

    recipe = Recipe(epochs=epochs, learning_rate=lr, batch_size=batch_size, limit=limit)
    with bar("train") as move:
        trained = train_offline(data, output, base_model, recipe, move, unescape=unescape)
    for bad in trained.bad_lines:
        errors.print(f"{data}:{bad.line}: left out: {bad.reason}", markup=False, highlight=False)
    for note in trained.notes:
        errors.print(f"{data}: {note}", markup=False, highlight=False)
    if as_json:
        print_json(trained.report)
        return
    shown = {name: value for name, value in trained.report.items() if name not in ("left_out", "dropped")}
    show_facts(
        {name.replace("_", " "): "unknown" if value is None else value for name, value in shown.items()},
        f"{output}: on {trained.report['n']} rows that never trained",
    )


def predict(
    texts: Annotated[list[str] | None, typer.Argument(help="Texts to classify.")] = None,
    input_file: Annotated[Path | None, typer.Option("--input", help="CSV with the column text.")] = None,
    output: Annotated[Path | None, typer.Option(help="CSV to write; unset: the terminal.")] = None,
    model: Annotated[str, typer.Option(help="champion, previous, a version number or a folder.")] = "champion",
    unescape: Unescape = False,
    as_json: Json = False,
) -> None:
    """Classify texts with a registered model or a folder, with no server.

    With --input every row comes out as it came, with the scores beside it. A row that cannot be scored has empty scores
    and a reason. Where the file has a column of the name of one of ours, ours get the prefix predicted_.
    """
    from deployments.cli.offline import predict_offline, write_csv
    from deployments.cli.predict_file import predict_file
    from storage.errors import BadInput
    from storage.texts.findings import unescaped

    if bool(texts) == bool(input_file):
        raise BadInput('give texts or --input FILE.csv, one of the two: finloop predict "Profit rose."')
    notes: tuple[str, ...] = ()
    with bar("predict") as move:
        if input_file:
            done = predict_file(input_file, model, move, unescape=unescape)
            rows, notes = done.rows, done.notes
        else:
            rows = predict_offline([unescaped(text) if unescape else text for text in texts or []], model, move)
    for note in notes:
        errors.print(f"{input_file}: {note}", markup=False, highlight=False)
    if output is not None:
        write_csv(output, rows)
        errors.print(f"{len(rows):,} predictions in {output}", markup=False)
    else:
        show(rows, f"by {model}" if input_file else f"by {rows[0]['model_version']}", as_json)
