"""Facts of texts, and the script that the seed data is written in."""

from datetime import UTC, date, datetime

import pytest

from labeling.ask.facts import Fact, letters, main_script
from storage.records import Text
from storage.text import cluster_key

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("texts", "script"),
    [
        (["Profit rose", "Прибыль"], "LATIN"),
        (["Прибыль выросла", "Ltd"], "CYRILLIC"),
        (["営業利益は増加"], "CJK"),
        (["12 %"], ""),
        ([], ""),
    ],
)
def test_the_main_script_is_that_of_most_letters(texts: list[str], script: str) -> None:
    assert main_script(texts) == script


def test_marks_and_digits_are_no_letters() -> None:
    assert letters("a1é % Ж") == {"LATIN": 2, "CYRILLIC": 1}


def test_a_texts_day_is_that_of_its_publication_or_else_of_its_ingest() -> None:
    text = Text("1", "Profit rose 5%", "feed", False, NOON)
    assert Fact.of(text) == Fact("Profit rose 5%", "feed", date(2026, 1, 2), cluster_key("Profit rose 7%"))
    assert Fact.of(Text("1", "a", "feed", False, NOON, datetime(2025, 3, 4, tzinfo=UTC))).day == date(2025, 3, 4)
