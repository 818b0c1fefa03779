"""What no asked text may be near is read from its store once, and seen as often as it is wanted."""

from flows.steps.aside import open_aside
from flows.wiring.parts import Parts
from tests.fixtures_home import answer, put_text, sentence


def test_the_texts_asked_before_and_the_audit_share_are_read_again_and_again(parts: Parts) -> None:
    answer(parts, sentence(1, "was asked"))
    audit = [f"Zürich ⅓ \u2028 {sentence(number, 'is set aside')}" for number in range(3)]
    for words in audit:
        put_text(parts, words, audit=True)
    put_text(parts, sentence(9, "waits"))
    with open_aside(parts.texts, parts.tasks) as aside:
        first = list(aside)
        put_text(parts, sentence(5, "comes later"), audit=True)
        again = list(aside)
    assert sorted(first) == sorted([sentence(1, "was asked"), *audit])
    assert again == first
