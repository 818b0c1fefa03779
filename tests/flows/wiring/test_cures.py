"""Whatever part an error is about, the person who reads it learns the setting and what to do."""

import pytest

from flows.wiring.cures import CURES, name_setting, settings_named
from flows.wiring.parts import open_parts
from flows.wiring.settings import Settings
from storage.errors import BadInput, Busy, FinloopError, Part, Refused, TurnedAway, Unreachable


@pytest.mark.parametrize("part", Part)
def test_every_part_has_a_setting_that_exists_and_a_cure(part: Part) -> None:
    setting, cure = CURES[part]
    assert setting.removeprefix("FINLOOP_").lower() in Settings.model_fields
    assert cure.endswith(".")


def test_an_error_that_leaves_the_parts_tells_setting_and_cure() -> None:
    with pytest.raises(Unreachable) as left, open_parts(Settings()):
        raise Unreachable(Part.LABEL_STUDIO, "http://here", "refused")
    assert str(left.value).startswith("no Label Studio answers at http://here (FINLOOP_LABEL_STUDIO_URL): refused.\n")


def test_a_refusal_has_another_cure_than_an_address_where_nobody_answers() -> None:
    error = Refused("Elasticsearch refuses us", Part.ELASTICSEARCH)
    name_setting(error)
    assert error.cure.startswith("Put user and password")


def test_a_database_that_refuses_is_not_to_be_started() -> None:
    error = TurnedAway(Part.DATABASE, "postgresql://here", "no such role", "database")
    name_setting(error)
    assert str(error).startswith("the database at postgresql://here answers, but refuses (FINLOOP_DATABASE_URL): no")
    assert "Start it" not in error.cure and "user, password" in error.cure


def test_a_certificate_that_is_not_trusted_has_its_own_setting() -> None:
    error = Unreachable(Part.ELASTICSEARCH_CA, "https://here", "certificate verify failed")
    name_setting(error)
    said = "no Elasticsearch answers at https://here (FINLOOP_ELASTICSEARCH_CA): certificate verify failed.\nSet it to"
    assert str(error).startswith(said)


@pytest.mark.parametrize("error", [BadInput("line 3 has no label"), Busy("another process holds the lease")])
def test_an_error_that_is_about_no_part_stays_as_it_is(error: FinloopError) -> None:
    said = str(error)
    with pytest.raises(type(error)), settings_named():
        raise error
    assert str(error) == said


def test_an_error_is_named_once() -> None:
    error = Unreachable(Part.PREFECT, "http://here", "refused")
    name_setting(error)
    said = str(error)
    name_setting(error)
    assert str(error) == said
