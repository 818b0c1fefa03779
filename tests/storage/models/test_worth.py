"""What a person reads of the worth of labels: a number only with its interval, and where there is none, the cure."""

import pytest

from storage.models.worth import CurvePoint, Evidence, LearningCurve, Worth, Yardstick, signed, unsigned

POINTS = tuple(CurvePoint(version=str(one), labels=100 * one, macro_f1=0.7) for one in range(3))


def curve(rows: int, worth: Worth | None) -> LearningCurve:
    return LearningCurve(audit_rows=rows, points=POINTS, worth=worth)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            curve(395, Worth(points=0.8, low=0.2, high=1.4)),
            "the next 100 labels are worth about +.8 points of macro-F1 (.2 to 1.4), "
            "from the audit slice of 395 rows and 3 versions",
        ),
        (
            curve(395, Worth(points=0.6, low=-0.4, high=1.6)),
            "the worth of the next 100 labels cannot be told from nothing (-.4 to 1.6), "
            "from the audit slice of 395 rows and 3 versions",
        ),
        (
            curve(0, None),
            "unknown: there is no answered audit row that no version trained near, of at least 20; "
            "run `finloop audit` and answer its tasks",
        ),
        (curve(30, None), "unknown until a version with labels can be compared with the first one of the same recipe"),
    ],
)
def test_a_curve_is_a_sentence(found: LearningCurve, said: str) -> None:
    assert found.sentence == said


def yardstick(cost: float | None, low: float | None, high: float | None, gain: float = 0.039) -> Yardstick:
    return Yardstick(
        version="4", audit_rows=395, labels=300, gain=gain, random_labels=45, random_gain=0.011,
        cost=cost, low=low, high=high,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            yardstick(420, 180, None),
            "would have cost about 420 labels (180 to more than 3,000): 45 random labels alone",
        ),
        (yardstick(420, 180.4, 900.6), "about 420 labels (180 to 901)"),
        (yardstick(None, 180, None), "would have cost more than 3,000 labels (180 to more than 3,000)"),
        (yardstick(None, 4000, None), "would have cost more than 3,000 labels: 45"),
        (yardstick(0, 0, 100, -0.003), "brought -.3 points on 395 audit rows: there is no gain to compare; 45 random"),
        (
            yardstick(300, 300, 300).model_copy(update={"random_labels": 300}),
            "the 300 labels of version 4 brought +3.9 points on 395 audit rows, and all of them were drawn at random: "
            "the gain cost 300 random labels",
        ),
        (
            yardstick(300, 300, 300, -0.003).model_copy(update={"random_labels": 300}),
            "all of them were drawn at random: there is no gain to compare",
        ),
        (
            yardstick(None, None, None).model_copy(update={"fault": "too few"}),
            "unknown for version 4: too few",
        ),
    ],
)
def test_a_yardstick_is_a_sentence_that_never_names_a_number_far_beyond_the_labels(found: Yardstick, said: str) -> None:
    assert said in found.sentence


def test_evidence_is_the_same_after_it_was_stored_and_passes_unknown_kinds_over() -> None:
    stored = Evidence(curve=curve(395, Worth(points=1, low=0, high=2)), yardstick=yardstick(1, 1, None))
    assert Evidence.model_validate_json(stored.model_dump_json()) == stored
    assert Evidence.model_validate_json('{"of a newer finloop": 3}') == Evidence()


def test_points_have_a_sign_where_they_are_a_difference_and_no_zero_before_the_point() -> None:
    assert [signed(one) for one in (0.8, -0.4, 12.34, 0.0)] == ["+.8", "-.4", "+12.3", "+.0"]
    assert [unsigned(one) for one in (0.8, -0.4, 12.34)] == [".8", "-.4", "12.3"]
