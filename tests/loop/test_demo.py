"""The whole loop on the sample, by the command that a user types; every test here reads what one run left."""

import re
import stat
import uuid

import pytest
from dotenv import dotenv_values

from deployments.demo.check_report import by_the_rule, faults
from deployments.supervisor.ports import port_is_free
from tests.loop.demos import DEMO_SECONDS, Demo, run_demo

LABELS, AUDIT = 120, 100
EXPOSED_TO_OTHERS = stat.S_IRWXG | stat.S_IRWXO
STEPS = {"ingest", "first champion", "score", "audit", "select", "annotate", "retrain", "summary"}

pytestmark = pytest.mark.timeout(DEMO_SECONDS + 60)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return run_demo(tmp_path_factory.mktemp("demo"), "--labels", str(LABELS), "--audit", str(AUDIT), "--rounds", "1")


def test_the_loop_closes_without_a_fault(demo: Demo) -> None:
    assert faults(demo.report, must_promote=False) == []


def test_the_requests_were_answered_all_the_while(demo: Demo) -> None:
    requests = demo.report["requests"]
    assert (requests["failed"], requests["mixed"]) == (0, 0)
    # Five a second, while the answers were given and the candidate was trained; a busy machine is let off half.
    seconds = demo.report["seconds"]
    assert requests["sent"] > 2.5 * (seconds["annotate"] + seconds["retrain"])
    assert set(requests["versions"]) == {demo.report["first_champion"], demo.report["champion"]}


def test_the_verdict_is_what_the_rule_says_of_the_reported_scores(demo: Demo) -> None:
    assert demo.report["promoted"] is (demo.report["verdict"]["decision"] == "promote") is by_the_rule(demo.report)
    served = demo.report["candidate"] if demo.report["promoted"] else demo.report["first_champion"]
    assert demo.report["champion"] == served


def test_as_many_labels_and_tasks_as_asked_for_and_none_twice(demo: Demo) -> None:
    report = demo.report
    assert report["tasks_duplicated"] == 0
    assert report["labels"] >= LABELS
    assert report["tasks_created"] >= LABELS + AUDIT
    # A skip is an answer too, and has its webhook.
    assert report["webhooks"] <= report["tasks_created"]
    assert 0 < report["audit"]["after"]["n"] <= AUDIT


def test_events_start_what_the_demo_never_starts(demo: Demo) -> None:
    runs = demo.report["runs"]
    assert {runs[step]["created_by"] for step in ("score", "audit", "select")} == {"user"}
    waited_for = [runs[step] for step in ("retrain", "deploy") if step in runs]
    assert {one["created_by"] for one in waited_for} == {"event"}
    assert all(uuid.UUID(one["event_id"]) for one in waited_for)
    assert ("deploy" in runs) is demo.report["promoted"]


@pytest.mark.parametrize("rows", ["audit", "heldout", "seed"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_report_has_every_score(demo: Demo, rows: str, when: str) -> None:
    scores = demo.report[rows][when]
    assert scores["n"] > 0
    assert 0 < scores["accuracy"] <= 1
    assert 0 < scores["macro_f1"] <= 1
    assert set(scores["recall"]) == {"positive", "neutral", "negative"}


def test_the_sample_is_no_toy(demo: Demo) -> None:
    """Its first champion, sound or the demo would have ended, is good on sentences and clearly worse on posts."""
    on_sentences = demo.report["seed"]["before"]["macro_f1"]
    assert 0.60 <= on_sentences <= 0.90
    assert demo.report["heldout"]["before"]["macro_f1"] <= on_sentences - 0.12


def test_the_report_has_everything_else(demo: Demo) -> None:
    report = demo.report
    difference = report["audit"]["difference"]
    assert difference["low"] <= difference["macro_f1"] <= difference["high"]
    assert set(report["seconds"]) >= STEPS
    assert all(spent >= 0 for spent in report["seconds"].values())
    one_by_one = [spent for step, spent in report["seconds"].items() if step != "deploy"]
    assert sum(one_by_one) <= demo.seconds  # the deploy runs while the retrain still measures
    assert report["seconds"].get("deploy", 0) <= demo.seconds
    assert set(report["runs"]) >= {"score", "audit", "select", "retrain"}
    assert (report["text_store"], report["base_model"]) == ("sqlite", "minilm")
    assert report["device"]
    assert report["seed_data"].startswith("sample")


def test_what_it_says_begins_with_what_is_real(demo: Demo) -> None:
    head = demo.said[: demo.said.index("ingest")]
    for part, setting in (
        ("text store", "FINLOOP_ELASTICSEARCH_URL"),
        ("seed data", "FINLOOP_SEED_DATA"),
        ("base model", "FINLOOP_BASE_MODEL"),
        ("device", "GPU"),
    ):
        assert re.search(f"{part}.*{setting}", head), head
    assert str(demo.workdir / "report.json") in demo.said.replace("\n", "")


def test_ten_seconds_after_ctrl_c_nothing_of_it_is_alive(demo: Demo) -> None:
    assert demo.alive == []
    written = dotenv_values(demo.workdir / "finloop.env")
    ports = [int(str(url).rsplit(":", 1)[1]) for name, url in written.items() if name.endswith("_URL") and url]
    assert len(ports) == 4
    assert [port for port in ports if not port_is_free(port)] == []


def test_everything_it_keeps_lies_in_its_folder_and_its_secrets_are_the_owners(demo: Demo) -> None:
    assert list(demo.cwd.iterdir()) == []
    secrets = demo.workdir / "finloop.env"
    assert not secrets.stat().st_mode & EXPOSED_TO_OTHERS
    assert {"finloop.db", "texts.db", "mlflow.db", "models", "logs", "prefect", "label-studio"} <= {
        one.name for one in demo.workdir.iterdir()
    }
    token = dotenv_values(secrets)["FINLOOP_ADMIN_TOKEN"]
    assert token
    assert not any(token in log.read_text(errors="replace") for log in (demo.workdir / "logs").glob("*.log"))
