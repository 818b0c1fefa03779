"""A picture is a PNG that matplotlib's global state has no part in."""

import struct

from storage.models.worth import CurvePoint, LearningCurve
from tests.schemes import LABELS
from tests.training.judge.evaluations import evaluation
from training.judge.metrics import score
from training.judge.pictures import confusion_matrices, learning_curve, side_by_side

SCORES = score([*LABELS, LABELS[0]], [*LABELS, LABELS[2]], LABELS)


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def test_two_models_stand_side_by_side() -> None:
    one = size(confusion_matrices([("champion", SCORES)], "Audit slice"))
    two = size(confusion_matrices([("champion", SCORES), ("candidate", SCORES)], "Audit slice"))
    assert two[0] > 1.7 * one[0]
    assert two[1] == one[1]


def test_the_picture_shows_the_numbers() -> None:
    other = score([LABELS[0]] * 4, [LABELS[0]] * 4, LABELS)
    assert confusion_matrices([("m", SCORES)], "t") != confusion_matrices([("m", other)], "t")
    assert confusion_matrices([("m", SCORES)], "t") == confusion_matrices([("m", SCORES)], "t")


def test_drawing_leaves_no_figure_behind() -> None:
    from matplotlib import pyplot

    confusion_matrices([("m", SCORES)], "t")
    learning_curve(a_curve(0.02))
    assert pyplot.get_fignums() == []


def a_curve(gain: float) -> LearningCurve:
    first = CurvePoint(version="1", labels=0, macro_f1=0.7)
    last = CurvePoint(version="2", labels=300, macro_f1=0.7 + gain, gain=gain, error=0.01)
    return LearningCurve(audit_rows=200, points=(first, last))


def test_a_curve_shows_its_gains_also_where_no_growth_can_be_fitted() -> None:
    assert learning_curve(a_curve(0.02)) != learning_curve(a_curve(0.03))
    alone = a_curve(0.02).model_copy(update={"points": a_curve(0.02).points[:1]})
    assert size(learning_curve(alone)) == size(learning_curve(a_curve(0.02)))


def test_models_stand_side_by_side_also_where_a_label_has_no_curve() -> None:
    found = evaluation([LABELS[0], LABELS[1]], [[0.8, 0.1, 0.1], [0.3, 0.6, 0.1]])
    other = evaluation([LABELS[0], LABELS[1]], [[0.1, 0.8, 0.1], [0.3, 0.6, 0.1]])
    assert size(side_by_side([("one", found)], "t")) == size(side_by_side([("one", found), ("two", other)], "t"))
    assert side_by_side([("one", found)], "t") != side_by_side([("one", other)], "t")
