"""A label scheme is data: whatever a user may write into its file is taken, or refused by what is wrong with it."""

from pathlib import Path

import pytest

from storage.errors import BadInput
from storage.scheme import MOST_LABELS, Scheme, find_scheme, load_scheme

TWO = """
name = "rumour"
question = "Is this confirmed?"
instructions = "Judge only what the text says."
[[labels]]
name = "confirmed"
meaning = "The company says so."
aliases = ["true", "1"]
hotkey = "1"
colour = "#2f6f4f"
[[labels]]
name = "rumour"
meaning = "Somebody says so."
[[obvious]]
text = "The company confirmed the sale."
label = "confirmed"
"""


def written(folder: Path, content: str) -> Path:
    path = folder / "scheme.toml"
    path.write_text(content, encoding="utf-8")
    return path


def of(count: int) -> Scheme:
    labels = [{"name": f"label {number}", "meaning": "m"} for number in range(count)]
    return Scheme.model_validate({"name": "many", "question": "q", "instructions": "i", "labels": labels})


def test_the_default_scheme_has_its_labels_in_order_and_obvious_cases_of_each() -> None:
    scheme = find_scheme("sentiment")
    assert scheme.names == ("positive", "neutral", "negative")
    assert {case.label for case in scheme.obvious} == set(scheme.names)


@pytest.mark.parametrize("said", ["confirmed", " CONFIRMED ", "true", "True", "1"])
def test_a_label_is_known_by_its_name_and_its_aliases_in_any_case(tmp_path: Path, said: str) -> None:
    assert load_scheme(written(tmp_path, TWO)).label(said) == "confirmed"


def test_a_label_that_the_scheme_lacks_is_refused_by_the_names_that_it_has(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'positive' is none of confirmed, rumour"):
        load_scheme(written(tmp_path, TWO)).label("positive")


def test_wording_may_change_in_a_home_in_use_and_labels_may_not(tmp_path: Path) -> None:
    before = load_scheme(written(tmp_path, TWO))
    reworded = load_scheme(written(tmp_path, TWO.replace("Is this confirmed?", "Confirmed, or said?")))
    renamed = load_scheme(written(tmp_path, TWO.replace('name = "confirmed"', 'name = "sure"').replace(
        'label = "confirmed"', 'label = "sure"')))  # fmt: skip
    assert before.hash == reworded.hash
    assert before.hash != renamed.hash


@pytest.mark.parametrize("count", [2, 4, MOST_LABELS])
def test_any_number_of_labels_from_2_to_20_works(count: int) -> None:
    assert len(of(count).names) == count


@pytest.mark.parametrize("count", [0, 1, MOST_LABELS + 1])
def test_fewer_and_more_labels_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="labels"):
        of(count)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('aliases = ["true", "1"]', 'aliases = ["Rumour"]', "two labels are called 'rumour'"),
        ('label = "confirmed"', 'label = "sure"', "an obvious case has the label 'sure'"),
        ('name = "rumour"\nquestion', 'name = "Rumour!"\nquestion', "name: "),
        ('colour = "#2f6f4f"', 'colour = "green"', "labels.0.colour: "),
        ('hotkey = "1"', 'shortcut = "1"', "labels.0.shortcut: "),
        ('[[labels]]\nname = "confirmed"', '[[labels]\nname = "confirmed"', "is not TOML"),
    ],
)
def test_a_file_that_is_no_scheme_is_refused_by_name_and_reason(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    assert old in TWO
    path = written(tmp_path, TWO.replace(old, new, 1))
    with pytest.raises(BadInput) as refused:
        load_scheme(path)
    assert str(path) in str(refused.value)
    assert reason in str(refused.value)


def test_an_unknown_scheme_is_refused_by_the_packaged_ones(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no label scheme 'mood'.*sentiment"):
        find_scheme("mood")


def test_a_users_own_file_is_found_by_its_path(tmp_path: Path) -> None:
    assert find_scheme(str(written(tmp_path, TWO))).name == "rumour"
