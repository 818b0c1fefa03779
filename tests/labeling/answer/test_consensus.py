"""What annotations agree on."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from labeling.answer.consensus import consensus
from storage.records import Annotation, AnnotationKey
from tests.schemes import LABELS

POSITIVE, NEUTRAL, NEGATIVE = LABELS


def answers(*labels: str | None) -> list[Annotation]:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    return [
        Annotation(AnnotationKey("http://ls", 1, number), 1, "text", label, f"annotator {number}", moment)
        for number, label in enumerate(labels, 1)
    ]


def test_the_majority_is_the_label() -> None:
    assert consensus(answers(POSITIVE, NEGATIVE, POSITIVE)) == POSITIVE


def test_a_tie_is_no_label() -> None:
    assert consensus(answers(POSITIVE, NEGATIVE)) is None


def test_a_skip_does_not_vote() -> None:
    assert consensus(answers(None, None, NEUTRAL)) == NEUTRAL


def test_skips_alone_and_no_answers_are_no_label() -> None:
    assert consensus(answers(None)) is consensus([]) is None


@given(st.lists(st.sampled_from([*LABELS, None])), st.randoms())
def test_the_order_of_answers_does_not_matter(labels: list[str | None], random: object) -> None:
    shuffled = list(labels)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert consensus(answers(*labels)) == consensus(answers(*shuffled))
