"""The candidates are a random sample of the stream and the texts that the champion doubts."""

import numpy as np

from labeling.ask.candidates import Candidates, gather
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
