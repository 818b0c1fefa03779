import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.clock import now
from storage.errors import BadInput, CorruptModel, UnknownVersion
from storage.models.manifest import Manifest, check_manifest, write_manifest
from storage.models.registry import Registry
from storage.models.verdict import Decision, Verdict
from tests.schemes import LABELS


def write_model(
    folder: Path,
    dataset: str = "data-1",
    recipe: str = "recipe-1",
    weights: bytes = b"weights",
    labels: tuple[str, ...] = LABELS,
) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)
    manifest = Manifest(
        base_model="minilm",
        exposed=False,
        dataset_version=dataset,
        recipe={"epochs": 2},
        recipe_hash=recipe,
        metrics={"macro_f1": 0.5},
        scheme="sentiment",
        labels=labels,
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    write_manifest(folder, manifest)
    return folder


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """MLflow's empty schema, made once: it costs seconds."""
    home = tmp_path_factory.mktemp("mlflow")
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(f"sqlite:///{home}/mlflow.db")
    return (home / "mlflow.db").read_bytes()


@pytest.fixture
def registry(tmp_path: Path, schema: bytes) -> Iterator[Registry]:
    (tmp_path / "mlflow.db").write_bytes(schema)
    yield Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts", LABELS)


def test_a_registered_model_is_found_by_number_alias_and_origin(registry: Registry, tmp_path: Path) -> None:
    made = registry.register(write_model(tmp_path / "m"))
    registry.set_alias("champion", made.version)
    assert registry.aliases() == {"champion": made.version}
    assert registry.resolve("champion") == registry.resolve(made.version) == registry.find("data-1", "recipe-1")
    assert registry.resolve("champion").aliases == ("champion",)
    assert registry.resolve("champion").manifest.metrics == {"macro_f1": 0.5}
    assert registry.find("data-2", "recipe-1") is None


def test_the_folder_of_a_version_holds_what_was_registered(registry: Registry, tmp_path: Path) -> None:
    source = write_model(tmp_path / "m")
    folder = registry.folder(registry.register(source).version)
    assert folder != source
    assert check_manifest(folder) == check_manifest(source)


def test_registering_the_same_dataset_and_recipe_twice_gives_one_version(registry: Registry, tmp_path: Path) -> None:
    first = registry.register(write_model(tmp_path / "a", weights=b"one"))
    again = registry.register(write_model(tmp_path / "b", weights=b"another seed of time"))
    other = registry.register(write_model(tmp_path / "c", dataset="data-2"))
    assert again.version == first.version != other.version
    assert [one.version for one in registry.versions()] == [first.version, other.version]


def test_a_model_of_other_labels_is_neither_taken_nor_given_out(
    registry: Registry, tmp_path: Path, schema: bytes
) -> None:
    other = ("confirmed", "rumour")
    with pytest.raises(BadInput, match=r"m has the labels confirmed, rumour .* positive, neutral, negative"):
        registry.register(write_model(tmp_path / "m", labels=other))
    assert registry.versions() == []
    version = registry.register(write_model(tmp_path / "ours", labels=LABELS[::-1])).version
    same = Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts", other)
    with pytest.raises(BadInput, match=r"version 1 has the labels negative, neutral, positive .* confirmed, rumour"):
        same.folder(version)
    assert registry.folder(version).is_dir()


def test_two_processes_that_register_at_once_make_one_version(registry: Registry, tmp_path: Path) -> None:
    sources = [str(write_model(tmp_path / str(number), dataset=f"data-{number}")) for number in range(5)]
    script = (
        "import sys; from pathlib import Path; from storage.models.registry import Registry\n"
        "registry = Registry(sys.argv[1], Path(sys.argv[2]), sys.argv[3:6]); registry.prepare()\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(*[registry.register(Path(source)).version for source in sys.argv[6:]])"
    )
    address = [f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path / "artifacts"), *LABELS]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, *address, *sources], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in both:  # both are past their imports: now they register side by side
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    printed = [process.communicate(timeout=120)[0] for process in both]
    assert printed[0] == printed[1] == "1 2 3 4 5\n"
    assert len(registry.versions()) == 5


@pytest.mark.parametrize("name", ["champion", "7", "nonsense"])
def test_a_name_that_means_nothing_is_refused_and_the_known_ones_named(
    registry: Registry, tmp_path: Path, name: str
) -> None:
    registry.register(write_model(tmp_path / "m"))
    with pytest.raises(UnknownVersion, match="there are: 1"):
        registry.resolve(name)


def test_an_alias_only_ever_names_a_version_that_there_is(registry: Registry) -> None:
    with pytest.raises(UnknownVersion, match="none yet"):
        registry.set_alias("champion", "1")
    with pytest.raises(UnknownVersion, match="no alias"):
        registry.set_alias("best", "1")


def test_damage_is_found_each_time_the_folder_is_asked_for(registry: Registry, tmp_path: Path) -> None:
    version = registry.register(write_model(tmp_path / "m")).version
    weights = registry.folder(version) / "model.safetensors"
    weights.write_bytes(b"weighty")
    with pytest.raises(CorruptModel, match=r"model\.safetensors does not match"):
        registry.folder(version)
    assert registry.resolve(version).version == version


def test_weights_and_manifest_changed_together_are_found(registry: Registry, tmp_path: Path) -> None:
    version = registry.register(write_model(tmp_path / "m")).version
    folder = registry.folder(version)
    (folder / "model.safetensors").write_bytes(b"another model")
    write_manifest(folder, check_manifest_without_sums(folder))
    with pytest.raises(CorruptModel, match=r"manifest\.json is not the manifest that was registered"):
        registry.folder(version)


def check_manifest_without_sums(folder: Path) -> Manifest:
    return Manifest.model_validate_json((folder / "manifest.json").read_bytes())


def test_a_damaged_folder_is_never_registered(registry: Registry, tmp_path: Path) -> None:
    source = write_model(tmp_path / "m")
    (source / "model.safetensors").write_bytes(b"half")
    with pytest.raises(CorruptModel):
        registry.register(source)
    assert registry.versions() == []


def test_the_last_verdict_stays_with_its_version(registry: Registry, tmp_path: Path) -> None:
    version = registry.register(write_model(tmp_path / "m")).version
    assert registry.resolve(version).verdict is None
    refused = Verdict(
        decision=Decision.REFUSE, reason="worse", checks=(), champion=None, candidate=version, dataset="data-0"
    )
    promoted = refused.model_copy(update={"decision": Decision.PROMOTE, "judged_at": now()})
    for verdict in (refused, promoted):
        registry.record_verdict(version, verdict)
        assert registry.resolve(version).verdict == verdict


def test_the_champion_is_the_version_of_that_alias(registry: Registry, tmp_path: Path) -> None:
    assert registry.champion() is None
    version = registry.register(write_model(tmp_path / "m")).version
    registry.set_alias("champion", version)
    found = registry.champion()
    assert found is not None and found.version == version


def test_versions_are_ordered_by_number_beyond_nine(registry: Registry, tmp_path: Path) -> None:
    for number in range(11):
        registry.register(write_model(tmp_path / str(number), dataset=f"data-{number}"))
    assert [one.version for one in registry.versions()] == [str(number) for number in range(1, 12)]
