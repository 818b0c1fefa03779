"""A text is left out only where it is surely in a language that the model never learnt."""

import pytest

from labeling.ask.language import foreign, languages

ENGLISH = [
    "Operating profit rose to 13.1 million euros from 8.7 million euros in the corresponding period",
    "$TSLA - shares fall 3% after the quarterly report https://t.co/abc",
    "The company will cut 200 jobs at its plant in Finland",
]
GERMAN = [
    "Der Umsatz stieg im dritten Quartal um 5 Prozent auf 3,2 Millionen Euro.",
    "Wipro erhält mehrjährigen strategischen Auftrag eines großen Kunden aus Italien",
]
OTHERS = [
    *GERMAN,
    "Les ventes ont progressé de 5% au troisième trimestre.",
    "Las acciones de la empresa cayeron un 3 por ciento tras los resultados.",
    "Omsättningen ökade med 10 procent under det tredje kvartalet.",
]


def test_texts_of_other_languages_in_the_same_script_are_foreign() -> None:
    known = languages(ENGLISH)
    assert known == {"en"}
    assert foreign([*ENGLISH, *OTHERS], known, 0.9) == {3, 4, 5, 6, 7}


def test_seed_data_of_two_languages_knows_both() -> None:
    known = languages([*ENGLISH, *GERMAN])
    assert known == {"en", "de"}
    assert foreign([*ENGLISH, *OTHERS], known, 0.9) == {5, 6, 7}


def test_a_language_of_a_single_text_among_many_is_no_language_of_the_seed_data() -> None:
    assert languages([*ENGLISH * 40, GERMAN[0]]) == {"en"}


@pytest.mark.parametrize("text", ["", "12.5 %", "$ABC +3", "TSLA Aktie steigt", "https://t.co/Qz8Wq"])
def test_a_text_too_short_to_tell_is_never_foreign(text: str) -> None:
    assert foreign([text], languages(ENGLISH), 0.9) == set()


def test_codes_and_numbers_are_no_language_and_never_foreign() -> None:
    codes = [
        "3df8dbd0df585044bc09be7e543d5d94 rose in quarter 1027",
        "22d7aac8c96a5fcbbe855a6adcbd8e6b fell in quarter 1047",
    ]
    assert foreign(codes, languages(ENGLISH), 0.9) == set()
    assert languages(codes) == frozenset()


def test_nothing_is_foreign_to_unknown_languages_or_where_any_language_is_taken() -> None:
    assert foreign(OTHERS, languages([]), 0.5) == set()
    assert foreign(OTHERS, languages(["12 %"]), 0.5) == set()
    assert foreign(OTHERS, languages(ENGLISH), 1) == set()


def test_links_and_cashtags_do_not_decide() -> None:
    tail = " $VOD.L @LeMonde_fr https://exemple.fr/les-ventes-ont-progresse-au-troisieme-trimestre"
    assert foreign([text + tail for text in ENGLISH], languages(ENGLISH), 0.9) == set()
