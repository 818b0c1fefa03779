import json

import pytest

from deployments.cli.terminal import exit_codes, print_json, show
from flows.prefect_api.connection import RunFailed
from storage.errors import BadInput, Busy, CorruptModel, FinloopError, Part, Refused, UnknownVersion, Unreachable

UNREACHABLE = Unreachable(Part.PREFECT, "http://127.0.0.1:9", "refused")


@pytest.mark.parametrize(
    "error", [BadInput("no"), Refused("no"), UnknownVersion("no"), CorruptModel("no"), Busy("no"), UNREACHABLE]
)
def test_what_the_user_can_set_right_ends_with_2_and_its_message(
    error: FinloopError, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, exit_codes():
        raise error
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert f"finloop: {error}" in told.err
    assert told.out == ""


def test_a_failed_run_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, exit_codes():
        raise RunFailed("deploy ended as failed: [weights] damaged")
    assert ended.value.code == 1
    assert "[weights] damaged" in capsys.readouterr().err


def test_an_error_of_ours_that_nobody_foresaw_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), exit_codes():
        raise ZeroDivisionError


def test_json_is_all_that_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"text": "Gewinn [bold] über", "margin": 0.1}], "a title", as_json=True)
    assert json.loads(capsys.readouterr().out) == [{"text": "Gewinn [bold] über", "margin": 0.1}]
    print_json({})
    assert json.loads(capsys.readouterr().out) == {}


def test_an_empty_table_says_so_and_empty_json_is_an_empty_list(capsys: pytest.CaptureFixture[str]) -> None:
    show([], "Models", as_json=False)
    assert "nothing yet" in capsys.readouterr().out
    show([], "Models", as_json=True)
    assert json.loads(capsys.readouterr().out) == []


def test_text_with_brackets_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"text": "[red]not markup[/red] [/x]", "none": None}], "Texts", as_json=False)
    assert "[red]not markup[/red] [/x]" in capsys.readouterr().out
