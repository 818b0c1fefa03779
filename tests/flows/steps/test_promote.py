"""Promoted means served, and a promotion that died anywhere ends where it was going when it is done again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow.tracking import MlflowClient
from pydantic import SecretStr

from deployments.serving.app import create_app
from flows.intents import Deploy, Promote, Score
from flows.steps.promote import Promotion, Service, check_verdict, promote
from flows.wiring.parts import Parts
from flows.wiring.settings import Settings
from storage.errors import Part, Refused, UnknownVersion, Unreachable
from storage.models.registry import Registry
from tests.deployments.serving.models import flip_a_bit, free_port, serve, wait_until
from tests.fixtures_home import TOKEN, a_verdict, problems, register
from tests.schemes import LABELS, SENTIMENT


@dataclass(frozen=True)
class Scene:
    """A running service whose champion is `one`, with `two` promoted by the gate over it."""

    parts: Parts
    one: str
    two: str

    def served(self) -> str | None:
        version: str | None = httpx.get(f"{self.parts.settings.serving_url}/model").json()["version"]
        return version

    def check(self, name: str) -> None:
        check_verdict(self.parts.registry, self.parts.outbox, name)

    def promote(self, name: str, *, forced: bool = False) -> Promotion:
        return promoted(self.parts, name, forced=forced)

    def open(self) -> list[str]:
        """The open intents besides those of the scores."""
        return [intent.key for intent in self.parts.outbox.open() if intent.kind != Score.kind]

    def scores(self) -> list[str]:
        return [intent.payload["version"] for intent in self.parts.outbox.open(Score.kind)]


def promoted(parts: Parts, name: str, *, forced: bool = False) -> Promotion:
    """As the deploy flow does it."""
    service = Service(parts.settings.needed("serving_url"), parts.settings.needed("admin_token"))
    return promote(parts.registry, parts.outbox, service, name, forced=forced)


@pytest.fixture
def scene(parts: Parts, tiny_model: Path) -> Iterator[Scene]:
    one, two = (register(parts, tiny_model, f"data {shift}", shift=shift).version for shift in (0, 1))
    parts.registry.set_alias("champion", one)
    parts.registry.set_alias("challenger", two)
    verdict(parts.registry, two, champion=one)
    with serve(create_app(parts.registry, SENTIMENT, admin_token=TOKEN, log=None)) as url:
        settings = parts.settings.model_copy(update={"serving_url": url})
        wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 200, "ready service")
        at_work = Parts(settings)
        yield Scene(at_work, one, two)
        at_work.close()


def verdict(registry: Registry, version: str, *, champion: str | None, promoted: bool = True) -> None:
    registry.record_verdict(version, a_verdict(version, promoted=promoted, champion=champion))


def damage(scene: Scene, version: str) -> None:
    """Break the weights of a version, and have its promotion refused for that."""
    flip_a_bit(scene.parts.registry.folder(version) / "model.safetensors")
    with pytest.raises(Refused, match=r"model\.safetensors does not match"):
        scene.promote(version)


class Killed(BaseException):
    """The process ends here."""


class Dying(Registry):
    """A registry whose process is killed after so many aliases were moved."""

    def __init__(self, settings: Settings, moves: int) -> None:
        super().__init__(settings.registry_url, settings.home.resolve() / "models", LABELS)
        self._moves = moves

    def set_alias(self, alias: str, version: str) -> None:
        if self._moves == 0:
            raise Killed
        self._moves -= 1
        super().set_alias(alias, version)


def killed_after(scene: Scene, moves: int, name: str, **options: Any) -> None:
    """Promote in a process that dies after so many moved aliases (three: before the swap)."""
    dying = Parts(scene.parts.settings)
    dying.__dict__["registry"] = Dying(scene.parts.settings, moves)
    try:
        with pytest.raises(Killed):
            promoted(dying, name, **options)
    finally:
        dying.close()


def test_a_promoted_version_is_served_and_the_one_before_is_previous(scene: Scene) -> None:
    done = scene.promote("challenger")
    assert (done.version, done.previous) == (scene.two, scene.one)
    assert scene.served() == scene.two
    aliases = scene.parts.registry.aliases()
    assert (aliases["champion"], aliases["previous"]) == (scene.two, scene.one)
    assert scene.open() == []


def test_a_champion_that_is_no_version_of_ours_gives_way_and_becomes_no_previous(scene: Scene) -> None:
    """Somebody registered a version in MLflow and gave it the alias there."""
    address = scene.parts.settings.registry_url
    client = MlflowClient(address, address)
    theirs = client.create_model_version("finloop", source="s3://elsewhere/model").version
    client.set_registered_model_alias("finloop", "champion", theirs)
    done = scene.promote(scene.two, forced=True)
    assert (done.version, done.previous) == (scene.two, None)
    assert scene.served() == scene.two
    assert scene.parts.registry.aliases()["champion"] == scene.two
    assert scene.open() == []


def test_promoting_twice_changes_nothing(scene: Scene) -> None:
    scene.promote(scene.two)
    before = scene.parts.registry.aliases()
    scene.promote(scene.two)
    assert scene.parts.registry.aliases() == before
    assert scene.served() == scene.two
    assert scene.open() == []


def test_each_promotion_intends_scores_also_back_to_an_earlier_version(scene: Scene) -> None:
    scene.promote("challenger")
    scene.promote(scene.one, forced=True)
    scene.promote(scene.two, forced=True)
    assert scene.scores() == [scene.two, scene.one, scene.two]


def test_a_promotion_that_dies_intends_its_scores_once(scene: Scene) -> None:
    killed_after(scene, 1, scene.two)
    assert scene.scores() == []
    promote_intent = scene.parts.outbox.get(f"promote:{scene.two}")
    assert promote_intent is not None
    scene.parts.outbox.intend(Score(scene.two, promote_intent.created_at))  # as if killed right after this
    scene.promote(scene.two)
    assert scene.scores() == [scene.two]


@pytest.mark.parametrize("moves", [0, 1])
def test_a_promotion_that_was_killed_ends_in_the_same_state_when_it_is_done_again(scene: Scene, moves: int) -> None:
    killed_after(scene, moves, scene.two)
    assert scene.open() == [f"promote:{scene.two}"]
    assert scene.served() == scene.one
    scene.check(scene.two)
    scene.promote(scene.two)
    aliases = scene.parts.registry.aliases()
    assert (aliases["champion"], aliases["previous"]) == (scene.two, scene.one)
    assert scene.served() == scene.two
    assert scene.open() == []


def test_a_promotion_killed_before_the_swap_is_repeated_under_any_of_its_names(scene: Scene) -> None:
    scene.parts.outbox.intend(Promote(scene.two))
    scene.parts.registry.set_alias("previous", scene.one)
    scene.parts.registry.set_alias("champion", scene.two)
    scene.check("challenger")
    scene.promote("challenger")
    assert scene.served() == scene.two
    assert scene.parts.registry.aliases()["previous"] == scene.one
    assert scene.open() == []


def test_a_rollback_is_the_promotion_of_the_previous_version(scene: Scene) -> None:
    scene.promote("challenger")
    done = scene.promote("previous", forced=True)
    assert (done.version, done.previous) == (scene.one, scene.two)
    assert scene.served() == scene.one
    assert scene.open() == []


def test_a_rollback_ends_the_promotion_that_it_undoes(scene: Scene) -> None:
    scene.parts.outbox.intend(Promote(scene.two))
    scene.parts.registry.set_alias("previous", scene.one)
    scene.parts.registry.set_alias("champion", scene.two)  # killed here: the service was not told
    scene.promote("previous", forced=True)
    assert scene.parts.registry.aliases()["champion"] == scene.one
    assert scene.served() == scene.one
    assert scene.open() == []
    assert scene.parts.outbox.troubled() == []


def test_a_promotion_that_is_forced_while_an_unforced_one_is_open_stays_forced(scene: Scene) -> None:
    killed_after(scene, 0, scene.two)
    killed_after(scene, 0, scene.two, forced=True)
    verdict(scene.parts.registry, scene.two, champion=scene.one, promoted=False)
    scene.check(scene.two)
    killed_after(scene, 0, scene.two)
    scene.check(scene.two)


@pytest.mark.parametrize("moves", [0, 1])
def test_a_rollback_that_was_killed_may_be_finished_without_a_verdict(scene: Scene, moves: int) -> None:
    scene.promote("challenger")
    killed_after(scene, moves, "previous", forced=True)
    (intent,) = scene.parts.outbox.open(Promote.kind)
    version = intent.payload["version"]
    scene.check(version)
    scene.promote(version)
    aliases = scene.parts.registry.aliases()
    assert (aliases["champion"], aliases["previous"]) == (scene.one, scene.two)
    assert scene.served() == scene.one
    with pytest.raises(Refused, match="not promoted"):
        scene.check(scene.one)


def test_a_version_that_the_gate_refused_or_never_saw_is_not_deployed(scene: Scene) -> None:
    with pytest.raises(Refused, match=f"version {scene.one} was not promoted"):
        scene.check(scene.one)
    verdict(scene.parts.registry, scene.one, champion=None, promoted=False)
    with pytest.raises(Refused, match="finloop models"):
        scene.check("champion")


def test_a_version_judged_against_another_champion_is_not_deployed(scene: Scene, tiny_model: Path) -> None:
    three = register(scene.parts, tiny_model, "data 3", shift=3).version
    verdict(scene.parts.registry, three, champion=scene.one)
    scene.check(three)
    scene.promote(scene.two)
    scene.parts.outbox.intend(Promote(three))
    with pytest.raises(Refused, match=f"judged against {scene.one}, but the champion is {scene.two}"):
        scene.check(three)
    assert scene.open() == []
    (told,) = scene.parts.outbox.troubled()
    assert told.key == f"promote:{three}" and "judged against" in (told.last_error or "")


def test_a_damaged_version_is_refused_the_old_one_answers_and_the_reason_is_kept(scene: Scene) -> None:
    damage(scene, scene.two)
    assert scene.served() == scene.one
    assert scene.parts.registry.aliases()["champion"] == scene.one
    (intent,) = scene.parts.outbox.open()
    assert intent.attempts == 1 and "model.safetensors" in (intent.last_error or "")


@pytest.mark.parametrize("given_up", [False, True])
def test_a_promotion_ends_the_trouble_of_those_that_it_overtook(scene: Scene, tiny_model: Path, given_up: bool) -> None:
    damage(scene, scene.two)
    if given_up:
        scene.parts.outbox.give_up(Promote(scene.two), "damaged")
    three = register(scene.parts, tiny_model, "data 3", shift=3).version
    verdict(scene.parts.registry, three, champion=scene.one)
    scene.promote(three)
    assert (scene.served(), scene.open(), problems(scene.parts)) == (three, [], [])


def test_trouble_of_a_newer_promotion_stays_when_an_older_one_ends_well(scene: Scene) -> None:
    scene.parts.outbox.intend(Promote(scene.one))
    damage(scene, scene.two)
    scene.parts.outbox.give_up(Promote(scene.two), "damaged")
    scene.promote(scene.one)
    assert [intent.key for intent in scene.parts.outbox.troubled()] == [f"promote:{scene.two}"]


def test_without_a_serving_app_nothing_changes_and_the_setting_is_named(scene: Scene) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    away = Parts(scene.parts.settings.model_copy(update={"serving_url": nowhere}))
    with pytest.raises(Unreachable) as raised:
        promoted(away, scene.two)
    away.close()
    assert nowhere in str(raised.value) and raised.value.part is Part.SERVING
    assert scene.parts.registry.aliases()["champion"] == scene.one
    assert scene.open() == [f"promote:{scene.two}"]


def test_a_wrong_admin_token_is_told(scene: Scene) -> None:
    stranger = Parts(scene.parts.settings.model_copy(update={"admin_token": SecretStr("guessed")}))
    with pytest.raises(Refused, match="admin token is missing or wrong"):
        promoted(stranger, scene.two)
    stranger.close()


def test_a_name_that_no_version_has_changes_nothing(scene: Scene) -> None:
    with pytest.raises(UnknownVersion, match="previous"):
        scene.promote("previous")
    assert scene.open() == []


def test_an_event_for_a_challenger_names_the_version_that_is_deployed(scene: Scene) -> None:
    scene.parts.outbox.intend(Deploy(scene.two, attempt=1))
    (event,) = scene.parts.outbox.open(Deploy.kind)
    assert scene.promote(event.payload["version"]).version == scene.two
