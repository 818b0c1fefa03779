"""The labeling room with its parts filled in; what needs a real Label Studio is tested in tests/labeling."""

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import update

from flows.steps import asking
from flows.steps.arrays import Reader
from flows.steps.asking import said_first, why_nothing
from flows.steps.base_reader import BaseReader
from flows.steps.choice import Wish
from flows.steps.score import is_behind
from flows.wiring.parts import Parts
from labeling.ask.batch import choose_audit
from labeling.ask.strategies.registry import find_strategy
from labeling.studio import project
from labeling.studio.interface import label_config
from storage.clock import now
from storage.labels.projects import Project
from storage.records import Prediction, Purpose, TaskState
from storage.sql.schema import TaskRow
from tests.fixtures_home import problems, put_text, register, sentence
from tests.fixtures_label_studio import LabelStudioServer
from tests.fixtures_labeling import PLAIN
from tests.schemes import named


def predicted(parts: Parts, count: int, version: str, *, audit: bool = False) -> list[str]:
    """Texts with a prediction by a version, of rising margin; their ids in that order."""
    texts = [put_text(parts, sentence(index, f"{version} {audit}"), audit=audit) for index in range(count)]
    for index, text in enumerate(texts):
        margin = 0.1 + index / 100
        other = (1 - margin) / 3
        scores = named(other, other + margin, other)
        said = Prediction("neutral", scores, named(0.0, 0.1, 0.0), other + margin, margin, version, now())
        parts.texts.record_predictions([(text.text_id, said)])
    return [text.text_id for text in texts]


def test_a_select_that_found_nothing_says_why(parts: Parts) -> None:
    said = "version 1 has scored none outside the audit share; run `finloop score`"
    assert said in why_nothing(parts.texts, "1")
    predicted(parts, 1, "1", audit=True)
    assert said in why_nothing(parts.texts, "1"), "a text of the audit share is never selected"
    predicted(parts, 1, "1")
    assert "every text that may be asked about was sent before" in why_nothing(parts.texts, "1")


def test_scores_are_behind_while_more_than_a_share_is_by_others(parts: Parts) -> None:
    assert not is_behind(parts.texts, "2", 0.0)
    predicted(parts, 2, "2")
    predicted(parts, 2, "1")
    assert is_behind(parts.texts, "2", 0.49) and not is_behind(parts.texts, "2", 0.5)


def test_a_project_says_where_annotators_work() -> None:
    assert Project("http://labels", 7).url == "http://labels/projects/7/data"


@pytest.fixture
def own(parts: Parts, label_studio: LabelStudioServer) -> Iterator[Parts]:
    """A home beside the real Label Studio."""
    addresses = {"label_studio_url": label_studio.url, "receiver_url": "http://127.0.0.1:9"}
    secrets = {"label_studio_token": SecretStr(label_studio.token), "webhook_secret": SecretStr("secret")}
    name = {"label_studio_project": uuid.uuid4().hex}
    made = Parts(parts.settings.model_copy(update={**addresses, **secrets, **name}))
    yield made
    made.close()


@pytest.fixture
def reader(own: Parts, tiny_model: Path) -> Reader:
    """The home's champion, version 1."""
    return Reader(register(own, tiny_model), own.registry, own.datasets, own.embeddings)


def wish(size: int, strategy: str = "margin", **rules: float) -> Wish:
    """A batch of nothing but what its strategy chooses, or by other rules."""
    return Wish(size, find_strategy(strategy), PLAIN.model_copy(update=rules))


def found(own: Parts) -> Project:
    return asking.our_project(own.studio, own.projects, own.leases, own.tasks, own.wanted_project)


def test_the_least_sure_texts_of_the_champion_are_sent_once(own: Parts, reader: Reader) -> None:
    ids = predicted(own, 6, "1")
    predicted(own, 3, "0")
    predicted(own, 3, "1", audit=True)
    project = found(own)
    first, second = (
        asking.ask_to_learn(own.studio, project, own.texts, own.tasks, own.scheme, reader, wish(size)).sent
        for size in (2, 100)
    )
    assert {task.text_id for task in first} == set(ids[:2])
    assert {task.text_id for task in second} == set(ids[2:])
    assert all(task.purpose is Purpose.SELECT and task.state is TaskState.SENT for task in first)


def test_a_champion_that_learnt_few_labels_of_this_stream_asks_at_random(own: Parts, reader: Reader) -> None:
    predicted(own, 8, "1")  # the champion learnt from the seed data alone
    asked = asking.ask_to_learn(
        own.studio, found(own), own.texts, own.tasks, own.scheme, reader, wish(4, random_first=1)
    )
    assert [task.reason["kind"] for task in asked.sent if task.reason] == ["random"] * 4


def test_repeated_selects_fill_up_to_the_size_and_say_what_is_open(own: Parts, reader: Reader) -> None:
    predicted(own, 6, "1")
    project = found(own)
    asked = [
        asking.ask_to_learn(own.studio, project, own.texts, own.tasks, own.scheme, reader, wish(size))
        for size in (3, 3, 4)
    ]
    assert [(len(one.sent), one.open_before) for one in asked] == [(3, 0), (0, 3), (1, 3)]
    assert asked[2].said("http://labels") == "1 texts sent to http://labels; 3 are still open"


def test_the_sent_tasks_say_why_and_the_annotators_page_does_not(own: Parts, reader: Reader) -> None:
    predicted(own, 6, "1")
    where = found(own)
    sent = asking.ask_to_learn(own.studio, where, own.texts, own.tasks, own.scheme, reader, wish(2)).sent
    there = {task["data"]["text_id"]: task["data"] for task in own.studio.tasks(where.id, "id,data")}
    for task in sent:
        data = there[task.text_id]
        assert data["worth"] == task.worth
        assert data["reason"].startswith("margin .1") and data["reason"].endswith("of 6; predicted neutral")
    assert "reason" not in label_config(own.scheme)


@pytest.mark.parametrize("strategy", ["badge", "core_set", "bald", "typical", "random"])
def test_a_strategy_gets_what_it_reads_of_the_champion(own: Parts, reader: Reader, strategy: str) -> None:
    predicted(own, 8, "1")  # the champion learnt from the seed data alone
    where = found(own)
    asked = asking.ask_to_learn(own.studio, where, own.texts, own.tasks, own.scheme, reader, wish(3, strategy))
    assert len(asked.sent) == 3
    assert {task.reason["strategy"] for task in asked.sent if task.reason} == {strategy}
    assert reader.cache.is_dir() == (strategy in ("badge", "core_set", "typical"))


def first_asked(own: Parts, wanted: Wish) -> asking.Asked:
    """What a select sends before there is a champion."""
    reader = BaseReader(own.base_model, own.scheme.names, [row.text for row in own.seed.rows], own.embeddings)
    return asking.ask_to_learn(own.studio, found(own), own.texts, own.tasks, own.scheme, reader, wanted)


@pytest.mark.parametrize(
    ("wished", "used", "how"), [("margin", "typical", "by how typical they are"), ("random", "random", "at random")]
)
def test_before_there_is_a_champion_annotators_are_asked_and_shown_no_answer(
    own: Parts, wished: str, used: str, how: str
) -> None:
    waiting = {put_text(own, sentence(number, "waits in the stream")).text_id for number in range(8)}
    put_text(own, sentence(9, "is set aside"), audit=True)
    asked = first_asked(own, wish(3, wished))
    assert len(asked.sent) == 3
    assert {task.text_id for task in asked.sent} < waiting
    assert all(task.prediction is None and task.state is TaskState.SENT for task in asked.sent)
    assert {(task.reason["strategy"], task.reason["kind"]) for task in asked.sent if task.reason} == {
        (used, "strategy")
    }
    said = said_first(asked, "http://labels")
    assert f"no champion yet, so they were chosen {how}: `finloop retrain` makes the first model" in said


def test_texts_that_only_a_lost_champion_scored_are_asked_without_its_answer(own: Parts) -> None:
    waiting = set(predicted(own, 4, "7"))
    asked = first_asked(own, wish(9))
    assert {task.text_id for task in asked.sent} == waiting
    assert {task.prediction for task in asked.sent} == {None}
    there = own.studio.tasks(found(own).id, "id,data")
    assert {task["data"]["suggestion"] for task in there} == {""}


def test_a_select_without_a_champion_fills_up_and_then_says_that_nothing_is_left(own: Parts) -> None:
    for number in range(4):
        put_text(own, sentence(number, "waits in the stream"))
    asked = [first_asked(own, wish(size)) for size in (3, 3, 9, 9)]
    assert [(len(one.sent), one.open_before) for one in asked] == [(3, 0), (0, 3), (1, 3), (0, 4)]
    assert "4 are still open; there is no champion yet: `finloop" in said_first(asked[3], "http://labels")
    assert said_first(asking.Asked([], 0), "http://labels").startswith("no text sent: every text that may be asked")


def test_an_audit_is_drawn_from_the_audit_share_without_the_models_answer(own: Parts) -> None:
    aside = predicted(own, 5, "1", audit=True)
    predicted(own, 5, "1")
    sent = asking.ask_audit(own.studio, found(own), own.texts, own.tasks, own.scheme, size=50, seed=0).sent
    assert {task.text_id for task in sent} == set(aside)
    assert all(task.prediction is None and task.purpose is Purpose.AUDIT for task in sent)


def test_what_a_killed_sender_left_is_sent_before_anything_else_is_asked(own: Parts) -> None:
    left = predicted(own, 2, "1", audit=True)
    choose_audit(own.texts, own.tasks, 2, seed=0)
    with own.engine.begin() as connection:
        connection.execute(update(TaskRow).values(lease_until=now() - timedelta(minutes=1)))
    asking.ask_audit(own.studio, found(own), own.texts, own.tasks, own.scheme, size=1, seed=0)
    assert {task.state for task in map(own.tasks.get, left) if task} == {TaskState.SENT}


def test_the_texts_of_a_deleted_project_are_asked_again(
    own: Parts, reader: Reader, label_studio: LabelStudioServer
) -> None:
    predicted(own, 3, "1")
    first = found(own)
    sent = asking.ask_to_learn(own.studio, first, own.texts, own.tasks, own.scheme, reader, wish(3)).sent
    assert len(sent) == 3 and not [one for one in problems(own) if "Label Studio" in one]
    token = {"Authorization": f"Token {label_studio.token}"}
    httpx.delete(f"{label_studio.url}/api/projects/{first.id}/", headers=token).raise_for_status()
    hook, owner = own.wanted_project.receiver_url + project.WEBHOOK_PATH, own.wanted_project.owner
    project.ensure_project(
        own.studio, own.projects, own.leases, own.scheme, hook, "secret", owner
    )  # then its process dies
    second = found(own)
    assert second.id != first.id
    assert asking.catch_up(own.studio, second, own.tasks, own.labels, own.inbox, own.scheme).missing == 0
    assert {task.text_id for task in own.tasks.open(second.server, second.id)} == {task.text_id for task in sent}
    (problem,) = (one for one in problems(own) if "Label Studio" in one)
    assert "not as this home knew it" in problem and f"project {first.id} is gone" in problem
