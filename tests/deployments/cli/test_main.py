"""The command as a user meets it: help with examples, exit codes, and errors that name setting, address and cure."""

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from fastapi import FastAPI
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

from deployments.cli.main import app
from flows.wiring.parts import Parts
from flows.wiring.settings import REPOSITORY
from tests.deployments.cli.running import finloop
from tests.deployments.serving.models import free_port, serve

VERBS = {
    *("up", "demo", "status", "ingest", "score", "audit", "select", "annotate", "sync", "retrain", "deploy"),
    *("prune", "rollback", "fetch", "train", "predict", "datasets", "datasets list", "datasets show"),
    *("models", "models list", "models show", "models adopt", "models report"),
}
ON_PREFECT = ("score", "audit", "select", "sync", "prune", "retrain", "deploy", "rollback")
GROUPS = tuple(verb for verb in VERBS if verb.startswith(("datasets", "models")))
FOR_SCRIPTS = (*ON_PREFECT, *GROUPS, "ingest", "annotate", "status", "train", "predict")

pytestmark = pytest.mark.usefixtures("clean_environment")


def commands() -> dict[str, TyperCommand | TyperGroup]:
    """Every verb by its words; a group of verbs is one too, and lists what there is."""
    return dict(_commands(typer.main.get_command(app)))


def _commands(found: object, *words: str) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    assert isinstance(found, TyperCommand | TyperGroup)
    if words:
        yield " ".join(words), found
    if isinstance(found, TyperGroup):
        for name, one in found.commands.items():
            yield from _commands(one, *words, name)


def test_the_verbs_are_those_of_the_design() -> None:
    assert set(commands()) == VERBS


def test_an_unknown_strategy_is_refused_with_the_names_that_there_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, said = finloop(monkeypatch, capsys, "select", "--strategy", "guess")
    assert code == 2
    assert "'guess'" in said and "power_margin" in said and "package.module:function" in said


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_says_what_a_verb_does_and_gives_an_example(verb: str) -> None:
    done = CliRunner().invoke(app, [*verb.split(), "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == 0
    assert "Example:" in done.output
    assert f"finloop {verb}" in done.output.partition("Example:")[2]
    assert commands()[verb].help


@pytest.mark.parametrize("verb", FOR_SCRIPTS)
def test_what_a_script_would_read_can_be_had_as_json(verb: str) -> None:
    assert any("--json" in option.opts for option in commands()[verb].params)


def test_help_answers_at_once() -> None:
    argv = [sys.executable, "-X", "importtime", "-m", "deployments.cli.main", "--help"]
    done = subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60)
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert not imported & {"torch", "transformers", "mlflow", "prefect", "elasticsearch", "matplotlib"}


def test_an_unknown_option_ends_with_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert finloop(monkeypatch, capsys, "score", "--fast")[0] == 2
    assert finloop(monkeypatch, capsys, "select", "--size", "0")[0] == 2


@pytest.mark.parametrize("verb", ON_PREFECT)
def test_without_a_prefect_server_the_setting_its_address_and_the_cure_are_named(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("FINLOOP_PREFECT_URL", nowhere)
    began = time.monotonic()
    code, out, err = finloop(monkeypatch, capsys, verb)
    assert time.monotonic() - began < 10
    assert (code, out) == (2, "")
    assert "FINLOOP_PREFECT_URL" in err and nowhere in err and "finloop up" in err


@pytest.mark.parametrize("verb", ["score", "up"])
def test_a_server_that_is_no_prefect_is_named_like_one_that_is_away(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(FastAPI()) as url:
        monkeypatch.setenv("FINLOOP_PREFECT_URL", url)
        code, out, err = finloop(monkeypatch, capsys, verb)
    assert (code, out) == (2, "")
    assert "FINLOOP_PREFECT_URL" in err and url in err and "correct the address" in err


@pytest.mark.parametrize("path", ["home", "home/finloop.db", "home/texts.db"])
def test_a_home_that_cannot_be_used_is_named_and_no_setting_that_nobody_set(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).write_bytes(b"no database" * 1000)
    monkeypatch.setenv("FINLOOP_HOME", "home")
    code, _, err = finloop(monkeypatch, capsys, "status")
    assert code == 2
    assert "FINLOOP_HOME" in err and str(tmp_path / path) in err and "name another folder" in err
    assert "FINLOOP_DATABASE_URL" not in err


def test_without_any_prefect_address_up_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = finloop(monkeypatch, capsys, "score")
    assert code == 2 and "FINLOOP_PREFECT_URL is not set" in err and "finloop up" in err


@pytest.mark.parametrize("verb", [["ingest", "posts.csv"], ["status"]])
def test_without_elasticsearch_the_setting_its_address_and_the_cure_are_named(
    verb: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "posts.csv").write_text("text,label\nProfit rose,positive\n")
    nowhere = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("FINLOOP_ELASTICSEARCH_URL", nowhere)
    began = time.monotonic()
    code, _, err = finloop(monkeypatch, capsys, *verb)
    assert time.monotonic() - began < 10
    assert code == 2
    assert "FINLOOP_ELASTICSEARCH_URL" in err and nowhere in err and "unset" in err


@pytest.mark.parametrize("verb", ["annotate", "up"])
def test_without_label_studio_the_setting_its_address_and_the_cure_are_named(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    for name, value in {
        "LABEL_STUDIO_URL": nowhere,
        "LABEL_STUDIO_TOKEN": "0" * 40,
        "RECEIVER_URL": "http://127.0.0.1:9",
        "WEBHOOK_SECRET": "secret",
    }.items():
        monkeypatch.setenv(f"FINLOOP_{name}", value)
    began = time.monotonic()
    code, _, err = finloop(monkeypatch, capsys, verb)
    assert time.monotonic() - began < 10
    assert code == 2
    assert "FINLOOP_LABEL_STUDIO_URL" in err and nowhere in err and "unset" in err


@pytest.mark.parametrize("name", ["FINLOOP_PREFECT_URL", "FINLOOP_ELASTICSEARCH_URL"])
def test_up_starts_nothing_where_a_given_server_does_not_answer(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv(name, nowhere)
    code, _, err = finloop(monkeypatch, capsys, "up")
    assert code == 2 and name in err and nowhere in err
    assert not (tmp_path / ".finloop" / "logs").exists()


def test_a_bad_setting_ends_any_verb_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FINLOOP_RETRAIN_AFTER", "none")
    code, _, err = finloop(monkeypatch, capsys, "status")
    assert code == 2 and "FINLOOP_RETRAIN_AFTER" in err


def test_a_demo_in_a_folder_that_holds_something_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("keep")
    code, _, err = finloop(monkeypatch, capsys, "demo", "--workdir", str(tmp_path / "full"))
    assert code == 2 and "--workdir" in err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


def test_ingest_counts_and_names_the_lines_left_out(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FINLOOP_HOME", str(parts.settings.home))
    (tmp_path / "posts.csv").write_text("text,label\nProfit rose,positive\nProfit fell,awful\n")
    code, out, err = finloop(monkeypatch, capsys, "ingest", str(tmp_path / "posts.csv"), "--json")
    assert code == 0
    counts = json.loads(out)
    assert (counts["new"], counts["labelled"], counts["left_out"]) == (1, 1, 1)
    assert "posts.csv:3: left out: " in err and "awful" in err
    code, _, err = finloop(monkeypatch, capsys, "ingest", str(tmp_path / "missing.csv"))
    assert code == 2 and "missing.csv" in err


def test_predict_reads_a_file_and_writes_a_file(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text("text\nProfit rose\n,\nSales fell\n")
    arguments = ("--input", str(tmp_path / "in.csv"), "--output", str(tmp_path / "out.csv"), "--model", str(tiny_model))
    code, out, err = finloop(monkeypatch, capsys, "predict", *arguments)
    assert (code, out) == (0, "")
    assert "in.csv: 1 of 3 rows have no scores; the column reason says why" in err
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows if row["label"]] == ["Profit rose", "Sales fell"]
    assert [bool(row["reason"]) for row in rows] == [False, True, False]


def test_predict_answers_texts_as_json(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = finloop(monkeypatch, capsys, "predict", "Profit rose", "--model", str(tiny_model), "--json")
    assert code == 0
    (row,) = json.loads(out)
    assert ",".join(row) == "text,label,positive,neutral,negative,confidence,truncated,model_version"


def test_predict_wants_texts_or_a_file_and_not_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert finloop(monkeypatch, capsys, "predict")[0] == 2
    assert finloop(monkeypatch, capsys, "predict", "text", "--input", str(tmp_path / "in.csv"))[0] == 2


def test_fetch_says_where_it_is_and_when_nothing_had_to_be_fetched(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FINLOOP_HOME", str(parts.settings.home))
    code, out, _ = finloop(monkeypatch, capsys, "fetch", "seed")
    assert code == 0
    assert finloop(monkeypatch, capsys, "fetch", "phrasebank") == (code, out, "")
    assert (parts.settings.home / "sample" / "Sentences_50Agree.txt").is_file()
    assert "nothing was fetched" in out and "FINLOOP_SEED_DATA=hub" in out
    monkeypatch.setenv("FINLOOP_BASE_MODEL", parts.settings.base_model)
    code, out, _ = finloop(monkeypatch, capsys, "fetch", "model")
    assert (code, out) == (0, f"model: {parts.base_model.folder}\n")


def test_our_own_servers_are_asked_past_a_proxy(
    parts: Parts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FINLOOP_HOME", str(parts.settings.home))
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    app = FastAPI()
    app.get("/health")(lambda: {})
    with serve(app) as url:
        monkeypatch.setenv("FINLOOP_LABEL_STUDIO_URL", url)
        found = json.loads(finloop(monkeypatch, capsys, "status", "--json")[1])
    assert found["label_studio"] == {"state": "up", "url": url}
    assert os.environ["NO_PROXY"].startswith("example.org,")


def command(*arguments: str, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """The command in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FINLOOP_")}
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=cwd,
        env={**environment, "PYTHONPATH": str(REPOSITORY), **variables},
        capture_output=True,
        encoding=variables.get("PYTHONIOENCODING"),
        text=True,
        check=False,
        timeout=60,
    )


COMMAND = """
import os, sys
from deployments.cli.main import main
if os.environ.get("GONE"):
    os.rmdir(os.getcwd())
main()
"""


def test_the_command_itself_ends_with_the_code(tmp_path: Path) -> None:
    done = command("score", cwd=tmp_path, FINLOOP_PREFECT_URL="127.0.0.1:4200")
    assert done.returncode == 2
    assert "FINLOOP_PREFECT_URL" in done.stderr and "Traceback" not in done.stderr


def test_a_terminal_that_is_not_utf_8_shows_what_it_can(tmp_path: Path) -> None:
    done = command("datasets", "show", "“€”", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert done.stderr.startswith("finloop: there is no dataset '"), done.stderr
    assert "?" in done.stderr and "Traceback" not in done.stderr


def test_a_folder_that_is_gone_is_no_place_to_call_from(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    done = command("status", cwd=tmp_path / "gone", GONE="yes")
    assert done.returncode == 2
    assert "the folder in which finloop was called is gone" in done.stderr and "Traceback" not in done.stderr
