"""`train` and `predict` need no server, and refuse what they cannot use before they write."""

import csv
import json
from pathlib import Path

import pytest

from deployments.cli.offline import predict_offline, train_offline, write_csv
from deployments.cli.predict_file import predict_file
from flows.wiring.parts import Parts
from storage.errors import BadInput, CorruptModel, UnknownVersion
from storage.models.manifest import check_manifest
from tests.deployments.serving.models import flip_a_bit
from tests.fixtures_home import NEWS, POLICY, register, sentence

COLUMNS = "text,label,positive,neutral,negative,confidence,truncated,model_version"
TEXTS = ["profit rose sharply", "the meeting was held", "sales fell"]


def ignore(fraction: float, message: str) -> None:
    """Nobody looks at the progress."""


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A CSV of ninety labelled rows, one line without a label and one with a wrong one."""
    lines = [f"{sentence(index, word)},{label}" for label, word in NEWS.items() for index in range(30)]
    path = tmp_path / "labelled.csv"
    path.write_text("\n".join(["text,label", *lines, "no label here,", "a wrong one,good"]) + "\n")
    return path


@pytest.fixture(autouse=True)
def home(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of these tests is that of `parts`, by the environment as for any command."""
    monkeypatch.setenv("FINLOOP_HOME", str(parts.settings.home))
    return parts.settings.home


def test_training_on_a_csv_writes_a_model_whose_manifest_holds(
    labelled: Path, tmp_path: Path, tiny_base_folder: Path
) -> None:
    trained = train_offline(labelled, tmp_path / "model", str(tiny_base_folder), POLICY.recipe, ignore)
    manifest = check_manifest(tmp_path / "model")
    assert manifest.recipe == POLICY.recipe.model_dump(mode="json")
    assert manifest.metrics["test_macro_f1"] == pytest.approx(trained.report["macro_f1"], abs=1e-4)
    assert [bad.line for bad in trained.bad_lines] == [92, 93]
    json.dumps(trained.report)
    (row,) = predict_offline(["profit rose"], str(tmp_path / "model"), ignore)
    assert (row["model_version"], row["truncated"]) == ("model", False)


def test_training_on_a_phrasebank_folder_writes_a_model_whose_manifest_holds(
    tiny_phrasebank: Path, tmp_path: Path, tiny_base_folder: Path
) -> None:
    trained = train_offline(tiny_phrasebank, tmp_path / "model", str(tiny_base_folder), POLICY.recipe, ignore)
    assert check_manifest(tmp_path / "model").dataset_version
    assert trained.report["n"] > 0 and trained.bad_lines == ()


@pytest.mark.parametrize(
    "content", ["text\nProfit rose\n", "text,label\nProfit rose,\n", "text,label\n" + "a b c,positive\n" * 3]
)
def test_data_that_cannot_train_leaves_nothing(tmp_path: Path, tiny_base_folder: Path, content: str) -> None:
    (tmp_path / "data.csv").write_text(content)
    before = set(tmp_path.iterdir())
    with pytest.raises(BadInput, match=r"data\.csv"):
        train_offline(tmp_path / "data.csv", tmp_path / "model", str(tiny_base_folder), POLICY.recipe, ignore)
    assert set(tmp_path.iterdir()) == before


def test_a_taken_output_is_left_as_it_is(labelled: Path, tmp_path: Path, tiny_base_folder: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").write_text("keep")
    with pytest.raises(BadInput, match="not empty"):
        train_offline(labelled, tmp_path / "model", str(tiny_base_folder), POLICY.recipe, ignore)
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["mine"]


def test_predictions_have_these_columns_in_this_order(tiny_model: Path, tmp_path: Path) -> None:
    rows = predict_offline(TEXTS, str(tiny_model), ignore)
    write_csv(tmp_path / "out.csv", rows)
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == COLUMNS
    with (tmp_path / "out.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["text"] for row in read] == TEXTS
    for row in read:
        scores = {name: float(row[name]) for name in ("positive", "neutral", "negative")}
        assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
        assert max(scores, key=lambda name: scores[name]) == row["label"]
        assert float(row["confidence"]) == max(scores.values())


def test_four_labels_of_a_users_scheme_are_trained_and_predicted(
    tmp_path: Path, tiny_base_folder: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"buy": "rose", "sell": "fell", "hold": "meeting held", "no view": "contract"}
    labels = "".join(f'[[labels]]\nname = "{name}"\nmeaning = "So."\naliases = ["{name} it"]\n' for name in words)
    (tmp_path / "advice.toml").write_text(f'name = "advice"\nquestion = "What?"\ninstructions = "Judge."\n{labels}')
    monkeypatch.setenv("FINLOOP_SCHEME", str(tmp_path / "advice.toml"))
    lines = [f"{sentence(index, word)},{label.upper()} it" for label, word in words.items() for index in range(30)]
    (tmp_path / "data.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    trained = train_offline(tmp_path / "data.csv", tmp_path / "model", str(tiny_base_folder), POLICY.recipe, ignore)
    assert [name for name in trained.report if name.startswith("recall")] == [f"recall {name}" for name in words]
    manifest = check_manifest(tmp_path / "model")
    assert (manifest.scheme, manifest.labels) == ("advice", tuple(words))
    (row,) = predict_offline(["profit rose"], str(tmp_path / "model"), ignore)
    assert list(row) == ["text", "label", *words, "confidence", "truncated", "model_version"]
    with pytest.raises(BadInput, match=r"positive, neutral, negative.*buy, sell, hold, no view"):
        predict_offline(["profit rose"], str(tiny_model), ignore)


def test_a_registered_model_answers_by_alias_and_by_number(parts: Parts, tiny_model: Path) -> None:
    one, two = (register(parts, tiny_model, f"data {shift}", shift=shift).version for shift in (0, 2))
    parts.registry.set_alias("champion", two)
    by_alias, by_number = predict_offline(TEXTS, "champion", ignore), predict_offline(TEXTS, two, ignore)
    assert by_alias == by_number
    assert {row["model_version"] for row in by_alias} == {two}
    assert predict_offline(TEXTS, one, ignore) != by_number


def test_a_model_that_there_is_not_is_told_with_those_that_there_are(parts: Parts, tiny_model: Path) -> None:
    register(parts, tiny_model)
    with pytest.raises(UnknownVersion, match="there are: 1"):
        predict_offline(TEXTS, "champion", ignore)


def test_a_damaged_model_is_refused_whether_registered_or_a_folder(parts: Parts, tiny_model: Path) -> None:
    version = register(parts, tiny_model).version
    folder = parts.registry.folder(version)
    flip_a_bit(folder / "model.safetensors")
    for name in (version, str(folder)):
        with pytest.raises(CorruptModel, match=r"model\.safetensors"):
            predict_offline(TEXTS, name, ignore)


def test_a_text_that_cannot_be_answered_stops_all(tiny_model: Path) -> None:
    with pytest.raises(BadInput, match="empty"):
        predict_offline(["profit rose", "  "], str(tiny_model), ignore)


def test_every_row_of_a_file_comes_out_in_order_as_it_came(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text(
        'id,text,note\n1, Up １0½  %,a\n2,,b\n3,x,y,z\n4,"two\nlines",\n5,\u200b,c\n6,short\n7\n', encoding="utf-8"
    )
    rows = predict_file(path, str(tiny_model), ignore).rows
    assert [row["text"] for row in rows] == [" Up １0½  %", "", "3,x,y,z", "two\nlines", "\u200b", "short", ""]
    beside = [("1", "a"), ("2", "b"), ("", ""), ("4", ""), ("5", "c"), ("6", ""), ("7", "")]
    assert [(row["id"], row["note"]) for row in rows] == beside
    assert [row["label"] is None for row in rows] == [bool(row["reason"]) for row in rows]
    assert [bool(row["reason"]) for row in rows] == [False, True, True, False, True, True, True]
    assert "4 fields" in rows[2]["reason"]


def test_predictions_of_a_file_of_predictions_stand_beside_them(tiny_model: Path, tmp_path: Path) -> None:
    path, again = tmp_path / "posts.csv", tmp_path / "again.csv"
    path.write_text("text,Label,Label\nProfit rose,2,x\nProfit fell,bearish,y\n")
    first = predict_file(path, str(tiny_model), ignore).rows
    assert list(first[0])[:4] == ["text", "Label", "Label_2", "predicted_label"]
    assert [(row["Label"], row["Label_2"]) for row in first] == [("2", "x"), ("bearish", "y")]
    write_csv(again, first)
    second = predict_file(again, str(tiny_model), ignore).rows
    assert [row["predicted_2_label"] for row in second] == [row["predicted_label"] for row in first]
    assert all(
        row.items() >= {name: str(value or "") for name, value in came.items()}.items()
        for row, came in zip(second, first, strict=True)
    )


def test_a_file_of_which_nothing_can_be_scored_still_comes_out(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "posts.csv").write_text("text,id\n,1\n \t,2\n")
    done = predict_file(tmp_path / "posts.csv", str(tiny_model), ignore)
    assert [row["id"] for row in done.rows] == ["1", "2"] and all(row["reason"] for row in done.rows)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ({"rose": 60}, "only rows of the label positive"),
        ({"rose": 60, "fell": 60}, "no row to train on for neutral"),
        ({"rose": 3, "fell": 3, "meeting": 3}, "at least 44 different texts"),
    ],
)
def test_data_without_rows_of_each_label_do_not_train(
    tmp_path: Path, tiny_base_folder: Path, counts: dict[str, int], says: str
) -> None:
    labels = {"rose": "positive", "fell": "negative", "meeting": "neutral"}
    lines = [f"{sentence(index, word)},{labels[word]}" for word, count in counts.items() for index in range(count)]
    (tmp_path / "data.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    with pytest.raises(BadInput, match=says) as error:
        train_offline(tmp_path / "data.csv", tmp_path / "model", str(tiny_base_folder), POLICY.recipe, ignore)
    assert error.value.part is None and not (tmp_path / "model").exists()


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"missing/out\.csv cannot be written"):
        write_csv(tmp_path / "missing" / "out.csv", [{"text": "x"}])
    (tmp_path / "taken").mkdir()
    with pytest.raises(BadInput, match="taken cannot be written"):
        write_csv(tmp_path / "taken", [{"text": "x"}])
    assert not list(tmp_path.rglob(".*.part"))
