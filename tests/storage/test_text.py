"""A text is one text for ever, and so is its place in or outside the audit."""

import math
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import BadInput
from storage.text import MAX_CHARACTERS, as_stored, checked, cluster_key, former_id, identity_form, in_audit, text_id

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1)
SPACE = st.text(st.sampled_from(" \t\r\n\u00a0\u2003\u2028"), min_size=1)


@given(st.lists(WORDS, min_size=1), st.data())
def test_whitespace_does_not_change_the_id(words: list[str], data: st.DataObject) -> None:
    spaced = data.draw(SPACE) + "".join(word + data.draw(SPACE) for word in words)
    assert text_id(spaced) == text_id(" ".join(words))


SAYS_NUMBERS = {"<super>", "<sub>", "<fraction>", "<circle>", "<square>", "<compat>"}
"""The kinds of compatible characters that may change a number."""
ANY = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("½²₂①㎡⒈㋀™ﬁ１…㎏\u00a0é"))


def changes_no_number(character: str) -> bool:
    """Whether no folding of a character can change a number or move a letter from or to an exponent."""
    kind = unicodedata.decomposition(character).split()[:1]
    return not kind or kind[0] not in SAYS_NUMBERS


@given(ANY)
def test_a_text_and_its_stored_form_are_one_text(text: str) -> None:
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")} | {text, as_stored(text)}
    assert len({text_id(form) for form in forms}) == 1


@given(ANY)
def test_an_old_text_as_it_was_stored_keeps_its_id(text: str) -> None:
    stored = " ".join(unicodedata.normalize("NFKC", text).split())
    assert text_id(stored) == former_id(text)


@given(st.text(st.characters(exclude_categories=["Cs"]).filter(changes_no_number)))
def test_a_text_without_special_numbers_keeps_its_id(text: str) -> None:
    assert text_id(text) == former_id(text)


@given(ANY)
def test_storing_twice_changes_nothing(text: str) -> None:
    assert as_stored(as_stored(text)) == as_stored(text)
    assert identity_form(identity_form(text)) == identity_form(text)


@given(st.sampled_from("²³¹½¼⅜⁵₂①⑳⑴⒈㋀㏠㍙ⁿ㎡㉑㊀"), st.integers(0, 999))
def test_no_number_runs_into_another(special: str, number: int) -> None:
    text = f"{number}{special}"
    assert text_id(text) != former_id(text) == text_id(unicodedata.normalize("NFKC", text))
    assert as_stored(text) == text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Nokia™", "NokiaTM"),
        ("proﬁt", "profit"),
        ("１０％", "10%"),
        ("4º", "4o"),
        ("10㎏", "10kg"),
        ("a\u00a0b", "a b"),
    ],
)
def test_two_spellings_are_one_text_and_stay_as_they_came(one: str, other: str) -> None:
    assert text_id(one) == text_id(other) == former_id(one)
    assert as_stored(one) == one.replace("\u00a0", " ")


def test_the_id_never_changes_between_releases() -> None:
    assert text_id("Ｎｏｋｉａ's  profit\nrose") == text_id("Nokia's profit rose") == "dafe30d399575578a19be96a01691ff2"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t",
        "\u200b\ufeff",
        "\ufe0f",
        "\u3164 \u2800",
        "a\x00b",
        "a\ud800b",
        "x" * (MAX_CHARACTERS + 1),
        "x" * 100_000,
    ],
)
def test_what_cannot_be_stored_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        checked(text)


def test_the_longest_text_passes() -> None:
    assert checked(" " + "x" * MAX_CHARACTERS) == "x" * MAX_CHARACTERS


@given(st.text(), st.text(max_size=20), st.floats(0, 1))
def test_a_text_is_in_the_audit_or_not_whenever_it_is_asked(identity: str, salt: str, share: float) -> None:
    identity = text_id(identity.encode(errors="replace").decode())
    salt = salt.encode(errors="replace").decode()
    assert in_audit(identity, salt, share) == in_audit(identity, salt, share)


@given(st.integers(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_only_adds_texts(number: int, one: float, other: float) -> None:
    identity = text_id(str(number))
    assert in_audit(identity, "salt", min(one, other)) <= in_audit(identity, "salt", max(one, other))


def test_no_share_takes_nothing_and_the_whole_share_everything() -> None:
    identities = [text_id(str(number)) for number in range(1000)]
    assert not any(in_audit(identity, "salt", 0) for identity in identities)
    assert all(in_audit(identity, "salt", 1) for identity in identities)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("salt", ["", "salt", "another"])
def test_the_share_is_what_was_asked_for(share: float, salt: str) -> None:
    number = 20_000
    taken = sum(in_audit(text_id(f"text {each}"), salt, share) for each in range(number))
    five_deviations = 5 * math.sqrt(number * share * (1 - share))
    assert abs(taken - number * share) <= five_deviations


def test_another_salt_takes_other_texts() -> None:
    identities = [text_id(str(number)) for number in range(4000)]
    both = sum(in_audit(each, "one", 0.5) and in_audit(each, "two", 0.5) for each in identities)
    assert abs(both - 1000) <= 5 * math.sqrt(4000 * 0.25 * 0.75)


NEWS = ["Morvane results mixed: margin up", "Nordea schließt Filialen", "日本株は続伸", "Profit fell, orders rose"]


@given(
    st.sampled_from(NEWS),
    st.integers(0, 10**9),
    st.sampled_from(["", " $NOK", " $BRK.B", " @desk", " https://t.co/x1?a=b", " www.news.example/2", " 12,5 %", "!"]),
    st.sampled_from([str, str.upper, str.title, lambda text: text.replace(" ", "  \n")]),
)
def test_a_copy_with_another_number_link_cashtag_or_case_has_the_same_cluster_key(
    news: str, number: int, tail: str, cased: Callable[[str], str]
) -> None:
    assert cluster_key(cased(f"{news} {number}") + tail) == cluster_key(news)


def test_different_news_have_different_cluster_keys() -> None:
    bare = ["$NOK 12", "$AAPL 12", "https://t.co/1", "12:30", "🚀", "🚀🚀"]
    assert len({cluster_key(text) for text in NEWS + bare}) == len(NEWS + bare)
