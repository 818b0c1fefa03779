from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from deployments.serving.swap import LoadFailed, Model, ModelSlot, NotPrepared, load_classifier
from storage.errors import CorruptModel, UnknownVersion
from storage.models.registry import ModelVersion, Registry
from tests.deployments.serving.models import flip_a_bit, register_model
from tests.schemes import LABELS, SENTIMENT
from training.model.classifier import Predicted


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    home = tmp_path_factory.mktemp("home")
    return Registry(f"sqlite:///{home}/mlflow.db", home / "artifacts", LABELS)


@pytest.fixture(scope="module")
def versions(
    registry: Registry, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ModelVersion, ...]:
    sources = tmp_path_factory.mktemp("sources")
    return tuple(
        register_model(registry, tiny_model, sources / str(number), f"data-{number}", shift=number)
        for number in range(3)
    )


class Broken:
    """A model whose scores are wrong in one way; weights can be whole and the answers still useless."""

    def __init__(self, scores: list[float]) -> None:
        self._scores = scores

    def predict(self, texts: Sequence[str], batch_size: int = 32) -> Predicted:
        rows = np.array([self._scores] * len(texts), dtype=np.float32)
        return Predicted(LABELS, rows, rows, np.zeros(len(rows), dtype=bool))


def test_nothing_is_served_until_a_prepared_version_is_swapped_in(
    registry: Registry, versions: tuple[ModelVersion, ...]
) -> None:
    slot = ModelSlot(registry, SENTIMENT)
    assert slot.served is None
    prepared = slot.prepare(versions[0].version)
    assert slot.served is None
    assert slot.swap(versions[0].version) is prepared is slot.served


def test_a_version_that_was_not_prepared_is_not_swapped_in(
    registry: Registry, versions: tuple[ModelVersion, ...]
) -> None:
    slot = ModelSlot(registry, SENTIMENT)
    slot.prepare(versions[0].version)
    slot.swap(versions[0].version)
    with pytest.raises(NotPrepared, match="not loaded"):
        slot.swap(versions[1].version)
    assert slot.served is not None and slot.served.version == versions[0]


def test_swapping_to_the_served_version_again_changes_nothing(
    registry: Registry, versions: tuple[ModelVersion, ...]
) -> None:
    slot = ModelSlot(registry, SENTIMENT)
    slot.prepare(versions[0].version)
    served = slot.swap(versions[0].version)
    assert slot.prepare(versions[0].version) is served
    assert slot.swap(versions[0].version) is served


def test_a_damaged_version_leaves_the_old_one_and_is_remembered_until_a_load_succeeds(
    registry: Registry, tiny_model: Path, versions: tuple[ModelVersion, ...], tmp_path: Path
) -> None:
    slot = ModelSlot(registry, SENTIMENT)
    slot.prepare(versions[0].version)
    served = slot.swap(versions[0].version)
    damaged = register_model(registry, tiny_model, tmp_path / "m", "damaged").version
    flip_a_bit(registry.folder(damaged) / "model.safetensors")
    with pytest.raises(CorruptModel, match=r"model\.safetensors"):
        slot.prepare(damaged)
    assert slot.served is served
    assert slot.last_error is not None and "model.safetensors" in slot.last_error.reason
    with pytest.raises(NotPrepared):
        slot.swap(damaged)
    slot.prepare(versions[1].version)
    assert slot.last_error is None


@pytest.mark.parametrize("scores", [[float("nan"), 0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.5]])
def test_a_model_whose_scores_are_no_probabilities_is_refused(
    registry: Registry, versions: tuple[ModelVersion, ...], scores: list[float]
) -> None:
    slot = ModelSlot(registry, SENTIMENT, lambda folder, labels: Broken(scores))
    with pytest.raises(CorruptModel, match="scores"):
        slot.prepare(versions[0].version)
    with pytest.raises(NotPrepared):
        slot.swap(versions[0].version)


def test_whatever_a_load_raises_is_named_and_the_slot_goes_on(
    registry: Registry, versions: tuple[ModelVersion, ...]
) -> None:
    broken = True

    def load(folder: Path, labels: Sequence[str]) -> Model:
        if broken:
            raise MemoryError("no room")
        return load_classifier(folder, labels)

    slot = ModelSlot(registry, SENTIMENT, load)
    with pytest.raises(LoadFailed, match="MemoryError: no room"):
        slot.prepare(versions[0].version)
    assert slot.why_not_ready() is not None and "no room" in str(slot.why_not_ready())
    broken = False
    slot.prepare(versions[0].version)
    slot.swap(versions[0].version)
    assert slot.why_not_ready() is None


def test_an_unknown_version_is_refused_by_name(registry: Registry) -> None:
    with pytest.raises(UnknownVersion, match="4711"):
        ModelSlot(registry, SENTIMENT).prepare("4711")


def test_start_serves_the_champion_and_nothing_else(registry: Registry, versions: tuple[ModelVersion, ...]) -> None:
    empty = ModelSlot(registry, SENTIMENT)
    empty.start()
    assert empty.served is None and "no champion yet" in str(empty.why_not_ready())
    registry.set_alias("champion", versions[1].version)
    slot = ModelSlot(registry, SENTIMENT)
    slot.start()
    assert slot.served is not None and slot.served.version.version == versions[1].version


def test_a_damaged_champion_is_not_replaced_by_another_model(
    registry: Registry, tiny_model: Path, tmp_path: Path
) -> None:
    damaged = register_model(registry, tiny_model, tmp_path / "m", "damaged champion").version
    registry.set_alias("champion", damaged)
    flip_a_bit(registry.folder(damaged) / "model.safetensors")
    slot = ModelSlot(registry, SENTIMENT)
    slot.start()
    assert slot.served is None
    assert "model.safetensors" in str(slot.why_not_ready())
