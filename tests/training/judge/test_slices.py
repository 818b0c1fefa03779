"""A slice is told by the texts or by what the caller knows, and is large enough to say something."""

from tests.schemes import LABELS
from tests.training.judge.evaluations import evaluation
from training.judge.slices import FEWEST, length, negation, numbers, part, slices


def test_texts_tell_length_numbers_and_negation() -> None:
    assert [length("word " * count) for count in (3, 12, 25)] == [
        "under 12 words",
        "12 to 24 words",
        "25 words and more",
    ]
    assert [numbers(text) for text in ("up 3 %", "up")] == ["with numbers", "without numbers"]
    for text in ("It did not rise", "It didn’t", "Without a gain"):
        assert negation(text) == "with negation"
    assert negation("A notable knot") == "without negation"


def test_unknown_values_and_small_slices_are_left_out() -> None:
    found = evaluation([LABELS[0]] * 8, [[0.8, 0.1, 0.1]] * 8)
    sources = ["feed"] * FEWEST + ["rare", None, None]
    names = [name for kind, name, _ in slices(found, {"source": sources}) if kind == "source"]
    assert names == ["feed"]


def test_a_part_keeps_its_rows_together() -> None:
    found = evaluation(LABELS, [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.6, 0.2, 0.2]], ["a", "b", "c"])
    last = part(found, [2])
    assert (last.texts, last.truth, last.predicted) == (("c",), (LABELS[2],), (LABELS[0],))
