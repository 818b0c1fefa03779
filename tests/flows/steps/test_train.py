"""A training is done once for each dataset and recipe, and leaves nothing where it fails."""

from collections.abc import Callable

import pytest

from flows.steps.train import train
from flows.wiring.parts import Parts
from storage.models.registry import ModelVersion
from storage.records import DatasetVersion
from tests.fixtures_home import POLICY, build, recipe_hash
from training.model.finetune import Recipe


def trained(parts: Parts, dataset: DatasetVersion, progress: Callable[[float, str], None]) -> ModelVersion:
    home, scheme = parts.settings.home, parts.scheme
    return train(dataset, parts.base_model, parts.registry, POLICY.recipe, scheme, home, progress)


def test_the_base_model_is_part_of_what_names_a_candidate(parts: Parts) -> None:
    other = Parts(parts.settings.model_copy(update={"base_model": "minilm"}))
    assert recipe_hash(parts) == recipe_hash(parts) != recipe_hash(other, POLICY)
    assert recipe_hash(parts) != recipe_hash(parts, POLICY.model_copy(update={"recipe": Recipe()}))


def test_a_training_is_done_once_and_leaves_only_its_version(parts: Parts) -> None:
    dataset = build(parts)
    before = set(parts.settings.home.iterdir())
    told: list[float] = []
    version = trained(parts, dataset, lambda share, words: told.append(share))
    again = trained(parts, dataset, lambda share, words: pytest.fail("it is trained again"))
    assert again.version == version.version
    assert [one.version for one in parts.registry.versions()] == [version.version]
    assert version.manifest.dataset_version == dataset.version
    assert version.manifest.recipe_hash == recipe_hash(parts)
    assert told[-1] == 1.0
    assert {path.name for path in set(parts.settings.home.iterdir()) - before} <= {"models"}


def test_a_training_that_fails_leaves_nothing(parts: Parts) -> None:
    dataset = build(parts)
    before = set(parts.settings.home.iterdir())

    class Pulled(Exception):
        pass

    def unplug(share: float, words: str) -> None:
        raise Pulled

    with pytest.raises(Pulled):
        trained(parts, dataset, unplug)
    assert set(parts.settings.home.iterdir()) - before <= {parts.settings.home / "models"}
    assert parts.registry.versions() == []
    assert build(parts).version == dataset.version
