"""An error says which part is at fault and why; setting and cure are added where it leaves the parts."""

from storage.errors import BadInput, Part, Unreachable


def test_an_error_without_a_setting_is_its_message_alone() -> None:
    assert str(BadInput("line 3 has no label")) == "line 3 has no label"
    assert str(Unreachable(Part.PREFECT, "http://here", "refused")) == "no Prefect answers at http://here: refused."


def test_setting_and_cure_are_told_beside_the_message() -> None:
    error = BadInput("there is no folder x.\nMake one.", Part.BASE_MODEL)
    error.setting, error.cure = "FINLOOP_X", "Or set it to y."
    assert str(error) == "there is no folder x (FINLOOP_X).\nMake one.\nOr set it to y."


def test_the_setting_of_an_address_stands_behind_the_address() -> None:
    error = Unreachable(Part.DATABASE, "postgresql://here", "connection refused", name="label store")
    error.setting, error.cure = "FINLOOP_X", "Start it."
    assert str(error) == "no label store answers at postgresql://here (FINLOOP_X): connection refused.\nStart it."
