"""The verbs that need no server: get a base model or data, train on a file, classify texts."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from deployments.cli.terminal import Json, bar, console, errors, print_json, show


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
    as_json: Json = False,
) -> None:
    """Train a model on a file or folder, with no server, and measure it on rows that it never saw."""
    from deployments.cli.offline import train_offline
    from training.model.finetune import Recipe

    recipe = Recipe(epochs=epochs, learning_rate=lr, batch_size=batch_size, limit=limit)
    with bar("train") as move:
        trained = train_offline(data, output, base_model, recipe, move)
    for bad in trained.bad_lines:
        errors.print(f"{data}:{bad.line}: left out: {bad.reason}", markup=False, highlight=False)
    if as_json:
        print_json(trained.report)
        return
    show([trained.report], f"{output}: on {trained.report['n']} rows that never trained", as_json=False)


def predict(
    texts: Annotated[list[str] | None, typer.Argument(help="Texts to classify.")] = None,
    input_file: Annotated[Path | None, typer.Option("--input", help="CSV with the column text.")] = None,
    output: Annotated[Path | None, typer.Option(help="CSV to write; unset: the terminal.")] = None,
    model: Annotated[str, typer.Option(help="champion, previous, a version number or a folder.")] = "champion",
    as_json: Json = False,
) -> None:
    """Classify texts with a registered model or a folder, with no server."""
    from deployments.cli.offline import predict_offline, read_input, write_csv
    from storage.errors import BadInput

    if bool(texts) == bool(input_file):
        raise BadInput('give texts or --input FILE.csv, one of the two: finloop predict "Profit rose."')
    given, bad_lines = read_input(input_file) if input_file else (texts or [], ())
    for bad in bad_lines:
        errors.print(f"{input_file}:{bad.line}: left out: {bad.reason}", markup=False, highlight=False)
    with bar("predict") as move:
        rows = predict_offline(given, model, move)
    if output is not None:
        write_csv(output, rows)
        errors.print(f"{len(rows):,} predictions in {output}", markup=False)
    else:
        show(rows, f"by {rows[0]['model_version']}", as_json)
