"""Datasets of a home that earlier code wrote: what they were made from, and the retrain that was cut short in it."""

import json
from typing import Any

from flows.steps.dataset import build_dataset
from flows.wiring.parts import Parts
from flows.wiring.policies import RetrainPolicy
from storage.datasets.parents import annotators, in_words
from storage.records import ParentKind
from tests.homes.opening import HOME_1, PLACE

EXPECTED: dict[str, Any] = json.loads((HOME_1 / "expected.json").read_text(encoding="utf-8"))


def test_the_old_names_of_settings_are_read_from_what_an_old_up_wrote(old: Parts) -> None:
    assert old.settings.seed_data == str(old.settings.home / "phrasebank")
    assert old.settings.agreement == 75
    assert old.seed.sha256 == EXPECTED["phrasebank_sha256"]
    assert len(old.seed.rows) == EXPECTED["phrasebank_rows"]


def test_every_dataset_has_the_phrasebank_and_the_annotators_as_parents(old: Parts) -> None:
    for told in EXPECTED["datasets"]:
        dataset = old.datasets.load(told["version"])
        seed, labels = dataset.parents
        assert (seed.kind, seed.hash, seed.origin) == (ParentKind.PHRASEBANK, told["phrasebank_sha256"], "phrasebank")
        source = told["phrasebank_source"].replace(PLACE, str(old.settings.home))
        assert seed.name == f"{source}, agreement {told['agreement']}"
        assert labels == annotators(dataset.rows, told["policy"])
        assert in_words(dataset.parents, dataset.label_watermark).endswith(f"up to change {told['label_watermark']}")


def test_the_dataset_that_was_left_without_a_verdict_is_taken_up(old: Parts) -> None:
    policy = RetrainPolicy()
    left = EXPECTED["datasets_unjudged"]
    assert old.datasets.unjudged(seed=old.seed.parent("another"), policy=policy.merge.hash()) == left
    taken = build_dataset(old.labels, old.texts, old.datasets, old.seed, policy.merge, old.scheme)
    assert taken.version == left
