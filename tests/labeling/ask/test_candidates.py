"""The candidates are a random sample of the stream and the texts that the champion doubts."""

from datetime import timedelta

import numpy as np

from labeling.ask.candidates import ASKED, Candidates, gather, gather_first
from labeling.ask.facts import COPY
from storage.clock import now
from storage.records import Purpose, Text
from storage.text import text_id
from tests.fixtures_labeling import VERSION, LabelStore


def gathered(store: LabelStore, uncertain: int, random: int) -> Candidates:
    return gather(store.texts, store.tasks, store.scheme.names, VERSION, 0, uncertain, random)


def test_the_texts_of_the_random_sample_are_known_from_those_that_the_champion_doubts(label_store: LabelStore) -> None:
    texts = label_store.ingest(12)
    found = gathered(label_store, uncertain=12, random=5)
    assert sorted(found.text_ids) == sorted(text.text_id for text in texts)
    assert found.sampled.sum() == 5
    drawn = [text.text_id for text, _ in zip(label_store.texts.random_texts(VERSION, 0), range(5), strict=False)]
    assert {one for one, is_in in zip(found.text_ids, found.sampled.tolist(), strict=True) if is_in} == set(drawn)


def test_some_of_the_candidates_keep_what_is_known_of_them(label_store: LabelStore) -> None:
    label_store.ingest(6)
    found = gathered(label_store, uncertain=6, random=2)
    some = found.at(np.array([5, 0]))
    assert some.text_ids == (found.text_ids[5], found.text_ids[0])
    assert some.sampled.tolist() == [False, True]
    assert len(some) == 2


def unscored(label_store: LabelStore, *words: str, audit: bool = False) -> list[Text]:
    """New texts that no model has scored."""
    texts = [Text(text_id(one), one, "feed", audit, now()) for one in words]
    label_store.texts.add(texts)
    return texts


def test_without_a_champion_all_texts_are_candidates_whatever_a_lost_version_said(label_store: LabelStore) -> None:
    unscored(label_store, "A bank was set aside", audit=True)
    texts = unscored(label_store, *(f"Plant {chr(97 + number)} opens" for number in range(6))) + label_store.ingest(3)
    every = gather_first(label_store.texts, label_store.tasks)
    assert list(every.text_ids) == sorted(text.text_id for text in texts)
    assert {fact.label for fact in every.facts} == {""}
    found = gather_first(label_store.texts, label_store.tasks, most=5)
    assert list(found.text_ids) == sorted(text.text_id for text in texts)[:5]
    assert found.probabilities.shape == (5, 0)
    assert found.sampled.all()


def test_unscored_texts_with_a_task_and_copies_are_left_out_and_counted(label_store: LabelStore) -> None:
    asked, *_ = unscored(label_store, "A plant opens", "Sales rose 5 %", "Sales rose 7 %", "Sales rose 9 %")
    label_store.tasks.reserve([asked], Purpose.SELECT, "batch", "owner", timedelta(minutes=1))
    found = gather_first(label_store.texts, label_store.tasks)
    assert len(found) == 1
    assert found.left_out == {ASKED: 1, COPY: 2}
