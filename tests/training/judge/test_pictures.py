"""A picture is a PNG that matplotlib's global state has no part in."""

import struct

from tests.schemes import LABELS
from training.judge.metrics import score
from training.judge.pictures import confusion_matrices

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
    assert pyplot.get_fignums() == []
