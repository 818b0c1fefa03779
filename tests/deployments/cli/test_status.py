"""What a person reads in `finloop status`: a sentence for every kind of problem, part and number."""

import re

import pytest

from deployments.cli.status import said_accuracy, said_problem, show_standing
from flows.steps.servers import Server, Serving, State
from flows.steps.standing import Accuracy, Counts, Standing
from flows.steps.troubles import Problem, ProblemKind
from storage.models.worth import Evidence, LearningCurve

KINDS = ProblemKind


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (Problem(KINDS.INTENT, "deploy:2:1", "refused", 1), "deploy:2:1: refused (tried 1 times)"),
        (Problem(KINDS.TRAINING, "unfinished:0", "3 runs ended", 1), "unfinished:0: 3 runs ended"),
        (
            Problem(KINDS.WEBHOOKS, "inbox", None, 2),
            "2 webhooks could not be understood; their rows in the inbox say why",
        ),
        (
            Problem(KINDS.TASKS_GONE, "Label Studio", None, 1),
            "1 task is gone from Label Studio, or with another text there; labels are kept",
        ),
        (
            Problem(KINDS.TASKS_GONE, "Label Studio", None, 3),
            "3 tasks are gone from Label Studio, or with another text there; labels are kept",
        ),
        (
            Problem(KINDS.TASKS_ELSEWHERE, "http://old", "http://new", 4),
            "4 tasks wait at http://old, not at today's Label Studio (FINLOOP_LABEL_STUDIO_URL=http://new): "
            "nobody reads what is answered there",
        ),
        (Problem(KINDS.SERVING, "http://here", "version 2: damaged", 1), "serving: version 2: damaged"),
        (
            Problem(KINDS.SERVER, "Prefect", "http://here", 1),
            "Prefect is down at http://here; `finloop up` starts what it started before",
        ),
        (Problem(KINDS.RUNS, "sync", "the last run failed", 1), "sync: the last run failed"),
        (
            Problem(KINDS.REFUSED, "http://here", "2 with 401", 2),
            "the receiver at http://here refused 2 webhooks since its start (2 with 401); "
            "401 means another secret than FINLOOP_WEBHOOK_SECRET",
        ),
        (
            Problem(KINDS.PUT_ASIDE, "http://here", None, 2),
            "2 webhooks wait in the folder webhooks of the home, until the label store takes them",
        ),
    ],
)
def test_every_kind_of_problem_is_a_sentence(problem: Problem, said: str) -> None:
    assert said_problem(problem) == said


def test_production_accuracy_is_said_with_its_interval_or_with_what_makes_it_known() -> None:
    assert said_accuracy(Accuracy(2, 3, 0.2077, 0.9385)) == "0.667 (0.208 to 0.939) on 3 audit answers"
    assert said_accuracy(None).startswith("unknown") and "finloop score" in said_accuracy(None)


@pytest.mark.parametrize(
    ("models", "tasks", "verb"),
    [
        ({}, {}, "retrain"),
        ({"challenger": "1"}, {"audit answered": 3}, "retrain"),
        ({"champion": "1"}, {}, "audit"),
        ({"champion": "1"}, {"audit sent": 3, "select answered": 9}, "audit"),
        ({"champion": "1"}, {"audit answered": 3}, "score"),
    ],
)
def test_an_unknown_production_accuracy_names_the_verb_that_is_missing_first(
    models: dict[str, str], tasks: dict[str, int], verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    down = Server(State.NOT_STARTED, None)
    counts = Counts("sqlite", {"all": 0, "audit": 0}, {}, tasks, {}, 0, 0, 0, 0)
    show_standing(Standing(counts, {}, 100, None, models, Serving(State.NOT_STARTED, None), down, down, ()))
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert re.findall(r"`finloop (\w+)`", said) == [verb]


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (Serving(State.NOT_STARTED, None), "not started"),
        (Serving(State.DOWN, "http://here"), "down at http://here"),
        (Serving(State.UP, "http://here"), "no model yet"),
        (Serving(State.UP, "http://here", "7"), "version 7"),
    ],
)
def test_the_table_says_what_is_served(served: Serving, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    counts = Counts("sqlite", {"all": 4, "audit": 1}, {"7": 2, "5": 1}, {"audit sent": 2}, {"done": 7}, 2, 1, 2, 0)
    server = Server(State.UP, "http://there")
    show_standing(
        Standing(
            counts, {"finloop.db": 2_500_000, "up.lock": 0}, 3, None, {"champion": "7"}, served, server, server, ()
        )
    )
    rows = [line.split("│")[1:3] for line in capsys.readouterr().out.splitlines() if line.count("│") == 3]
    lines = {name.strip(): value.strip() for name, value in rows}
    assert lines["served"] == said
    assert (lines["texts"], lines["tasks"], lines["models"]) == ("all 4, audit 1", "audit sent 2", "champion 7")
    assert lines["until the next retrain"].startswith("1 of 3 labels; 2 more cannot train")
    assert lines["prefect"] == "up at http://there"
    assert lines["scored"].startswith("2 of 4 by the champion (version 7); 1 last by")
    assert lines["kept"] == "7 webhooks, 2 intents; finloop.db 2.5 MB"
    assert lines["problems"] == "none"


def test_what_was_measured_of_the_labels_is_a_line_and_a_home_without_it_says_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    down = Server(State.NOT_STARTED, None)
    counts = Counts("sqlite", {"all": 0, "audit": 0}, {}, {}, {}, 0, 0, 0, 0)
    curve = LearningCurve(audit_rows=3, points=())
    for evidence in (Evidence(), Evidence(curve=curve)):
        show_standing(Standing(counts, {}, 100, None, {}, Serving(State.NOT_STARTED, None), down, down, (), evidence))
    without, given = capsys.readouterr().out.split("next 100 labels")
    said = " ".join(given.replace("│", " ").split())
    assert said.startswith(curve.sentence)
    assert "at random" not in without + given
