"""Another task needs no code: a label scheme of four labels and a CSV of them, through `train` and `predict`."""

import csv
import json
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.cli.main import main
from storage.models.manifest import check_manifest

DEPARTMENTS = {"sales": "order", "support": "missed", "billing": "euros", "legal": "contract"}
"""Each label, and the word that only its texts have."""

SCHEME_FILE = """
name = "departments"
question = "Who should answer this?"
instructions = "Choose the department."
""" + "".join(f'[[labels]]\nname = "{name}"\nmeaning = "{name}."\naliases = ["{name[:3]}"]\n' for name in DEPARTMENTS)

Finloop = Callable[..., tuple[int, str, str]]


@pytest.fixture
def finloop(
    clean_environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Finloop:
    """The command under that scheme, in this process: exit code, stdout, stderr."""
    (tmp_path / "departments.toml").write_text(SCHEME_FILE)
    monkeypatch.setenv("FINLOOP_SCHEME", str(tmp_path / "departments.toml"))

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["finloop", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else int(code is not None)), told.out, told.err

    return run


def ticket(name: str, number: int) -> str:
    """A text of that label, which is near no other one."""
    word = DEPARTMENTS[name]
    return f"{uuid.uuid5(uuid.NAMESPACE_OID, f'{name} {number}').hex} {word} {word} {word}"


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Forty texts of each label, some by its alias, one line of a label that the scheme does not have."""
    path = tmp_path / "tickets.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for name in DEPARTMENTS:
            for number in range(40):
                writer.writerow([ticket(name, number), name if number % 2 else name[:3].upper()])
        writer.writerow(["profit rose", "positive"])
    return path


def test_a_csv_of_four_labels_trains_a_model_that_predicts_them(
    finloop: Finloop, labelled: Path, tmp_path: Path, tiny_base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    trained = ("--output", model, "--base-model", tiny_base_folder, "--epochs", "12", "--lr", "0.005", "--json")
    code, out, err = finloop("train", "--data", labelled, *trained)
    assert code == 0, err
    report = json.loads(out)
    assert report["macro_f1"] > 0.5, report
    assert {key for key in report if key.startswith("recall ")} == {f"recall {name}" for name in DEPARTMENTS}
    assert "tickets.csv:162: left out: the label 'positive' is none of sales, support, billing, legal" in err
    manifest = check_manifest(model)
    assert (manifest.scheme, set(manifest.labels)) == ("departments", set(DEPARTMENTS))

    texts = [ticket(name, number) for name in DEPARTMENTS for number in range(10)]
    code, out, err = finloop("predict", "--model", model, "--json", *texts)
    assert code == 0, err
    rows = json.loads(out)
    for row in rows:
        assert list(row) == ["text", "label", *DEPARTMENTS, "confidence", "truncated", "model_version"]
        assert sum(row[name] for name in DEPARTMENTS) == pytest.approx(1, abs=1e-5)
        assert row["label"] == max(DEPARTMENTS, key=lambda name: row[name])
    right = sum(DEPARTMENTS[row["label"]] in row["text"] for row in rows)
    assert right > len(rows) / 2, f"{right} of {len(rows)}"  # not all: processors round otherwise

    monkeypatch.delenv("FINLOOP_SCHEME")
    code, _, err = finloop("predict", "--model", model, "Where is my order")
    assert code != 0
    assert "sales" in err and "positive" in err


def test_a_csv_of_one_label_of_the_scheme_trains_nothing(finloop: Finloop, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("text,label\nWhere is my order,sales\nI want two,sal\n")
    code, _, err = finloop("train", "--data", tmp_path / "one.csv", "--output", tmp_path / "model")
    assert code != 0
    assert "only rows of the label sales" in err
    assert not (tmp_path / "model").exists()
