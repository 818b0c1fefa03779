"""Where a base model comes from; the hub is a real HTTP server on loopback that speaks the hub's protocol."""

import hashlib
import json
import pickle
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from storage.errors import BadInput, Part, Refused, Unreachable
from tests.schemes import LABELS
from training.model.base_model import BaseModel, find_base_model
from training.model.classifier import Classifier

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NOWHERE = "http://127.0.0.1:9"
REFUSALS = {"owner/gated": (403, "GatedRepo"), "owner/broken": (500, "Internal")}
"""What the hub says of some models; it knows no others."""


def pickled(folder: Path, target: Path) -> Path:
    """A copy of a model with its weights as pytorch_model.bin alone, as ProsusAI/finbert publishes them."""
    shutil.copytree(folder, target)
    weights = target / "model.safetensors"
    torch.save(load_file(weights), target / "pytorch_model.bin")
    weights.unlink()
    return target


@dataclass
class Hub:
    """One repository's files, and which of them were asked for; `broken` files have other bytes than their sum says.

    While it is `leaving`, it sends half of the weights and no more; `ranges` are the first bytes asked for of them.
    """

    name: str
    folder: Path
    url: str = ""
    sent: list[str] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    leaving: bool = False
    ranges: list[int] = field(default_factory=list)

    def content(self, file: str) -> bytes:
        content = (self.folder / file).read_bytes()
        return content[:-1] + bytes([content[-1] ^ 1]) if file in self.broken else content

    def describe(self) -> bytes:
        siblings = []
        for path in sorted(self.folder.iterdir()):
            entry: dict[str, object] = {"rfilename": path.name, "size": path.stat().st_size}
            if path.suffix in (".bin", ".safetensors", ".h5"):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                entry["lfs"] = {"sha256": digest, "size": path.stat().st_size, "pointerSize": 100}
            siblings.append(entry)
        return json.dumps({"id": self.name, "sha": COMMIT, "siblings": siblings}).encode()


def handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            path = self.path.split("?")[0]
            file = path.removeprefix(f"/{hub.name}/resolve/{COMMIT}/")
            if path.startswith(f"/api/models/{hub.name}"):
                self.reply(hub.describe(), body)
            elif file != path and (hub.folder / file).is_file():
                if body:
                    hub.sent.append(file)
                if body and file == "pytorch_model.bin":
                    self.reply_from(hub.content(file))
                else:
                    self.reply(hub.content(file), body)
            else:
                status, code = REFUSALS.get(path.removeprefix("/api/models/"), (404, "RepoNotFound"))
                self.send_response(status)
                self.send_header("X-Error-Code", code)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def reply(self, content: bytes, body: bool) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if body:
                self.wfile.write(content)

        def reply_from(self, content: bytes) -> None:
            begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            hub.ranges.append(begin)
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            self.wfile.write(content[begin : len(content) // 2 if hub.leaving else None])

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    return Handler


@pytest.fixture
def hub(tiny_base_folder: Path, tmp_path: Path) -> Iterator[Hub]:
    """`ProsusAI/finbert` with pickled weights, and files that nobody needs."""
    folder = pickled(tiny_base_folder, tmp_path / "repository")
    (folder / "tf_model.h5").write_bytes(b"tensorflow")
    (folder / "README.md").write_text("a card")
    made = Hub("ProsusAI/finbert", folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(made))
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return loaded


def test_the_packaged_minilm_is_found_without_network(tmp_path: Path) -> None:
    base = find_base_model("minilm", tmp_path, endpoint=NOWHERE)
    assert (base.name, base.exposed) == ("minilm", False)
    assert (base.folder / "model.safetensors").is_file()


def test_a_hub_model_with_pickled_weights_becomes_safetensors(hub: Hub, tiny_base_folder: Path, tmp_path: Path) -> None:
    base = find_base_model(hub.name, tmp_path / "cache", endpoint=hub.url)
    assert base.exposed
    assert not list(base.folder.rglob("*.bin"))
    for name, tensor in weights(tiny_base_folder).items():
        assert torch.equal(weights(base.folder)[name], tensor)
    assert not {"tf_model.h5", "README.md"} & set(hub.sent)


def test_once_fetched_a_hub_model_needs_no_hub(hub: Hub, tmp_path: Path) -> None:
    first = find_base_model(hub.name, tmp_path / "cache", endpoint=hub.url)
    sent = list(hub.sent)
    assert find_base_model(hub.name, tmp_path / "cache", endpoint=NOWHERE) == first
    assert hub.sent == sent


def test_safetensors_are_taken_and_pickled_weights_left_where_there_are_both(
    hub: Hub, tiny_base_folder: Path, tmp_path: Path
) -> None:
    shutil.copy(tiny_base_folder / "model.safetensors", hub.folder)
    find_base_model(hub.name, tmp_path / "cache", endpoint=hub.url)
    assert "pytorch_model.bin" not in hub.sent
    assert "model.safetensors" in hub.sent


def test_weights_with_another_sum_are_refused_and_the_next_try_goes_on(hub: Hub, tmp_path: Path) -> None:
    hub.broken.add("pytorch_model.bin")
    with pytest.raises(BadInput, match="sum"):
        find_base_model(hub.name, tmp_path / "cache", endpoint=hub.url)
    hub.broken.clear()
    vocabularies = hub.sent.count("tokenizer.json")
    assert find_base_model(hub.name, tmp_path / "cache", endpoint=hub.url).exposed
    assert hub.sent.count("tokenizer.json") == vocabularies


def test_a_download_goes_on_where_one_that_gave_up_had_stopped(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", piece := 1024)  # 10 MB are written at once
    hub.leaving = True
    with pytest.raises(Unreachable):
        find_base_model(hub.name, tmp_path / "cache", endpoint=hub.url)
    hub.leaving, half = False, len(hub.content("pytorch_model.bin")) // 2
    hub.ranges.clear()
    assert find_base_model(hub.name, tmp_path / "cache", endpoint=hub.url).exposed
    (begin,) = hub.ranges
    assert half - piece < begin <= half
    assert not list(tmp_path.rglob("*.part"))


def test_what_is_left_of_another_revision_is_not_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "base" / "prosusai--finbert"
    folder.mkdir(parents=True)
    for left in ("pytorch_model.bin", "pytorch_model.bin.0123456789abcdef.part"):
        (folder / left).write_bytes(b"older")
    assert find_base_model(hub.name, tmp_path / "cache", endpoint=hub.url).exposed
    assert hub.ranges == [0]
    assert not list(folder.glob("*.part"))


def test_no_hub_and_an_unknown_name_are_told_as_faults_of_the_base_model(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=f"no Hugging Face hub answers at {NOWHERE}") as away:
        find_base_model("owner/model", tmp_path, endpoint=NOWHERE)
    with pytest.raises(Refused, match="owner/unknown") as unknown:
        find_base_model("owner/unknown", tmp_path, endpoint=hub.url)
    assert away.value.part is unknown.value.part is Part.BASE_MODEL


def test_a_gated_model_is_named_and_a_broken_hub_is_no_refusal(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"(?s)owner/gated: it is gated.*HF_TOKEN"):
        find_base_model("owner/gated", tmp_path, endpoint=hub.url)
    with pytest.raises(Unreachable, match="500"):
        find_base_model("owner/broken", tmp_path, endpoint=hub.url)


@pytest.mark.parametrize("beside", ["spm.model", "bpe.codes", "added_tokens.json"])
def test_the_hub_is_asked_for_all_that_belongs_to_a_model_and_nothing_else(
    beside: str, hub: Hub, tmp_path: Path
) -> None:
    (hub.folder / beside).write_text("{}")
    for other in ("pytorch_model.generator.bin", "optimizer.bin", "model.onnx", "rust_model.ot", "flax_model.msgpack"):
        (hub.folder / other).write_bytes(b"another model")
    find_base_model(hub.name, tmp_path / "cache", endpoint=hub.url)
    assert set(hub.sent) == {"config.json", "tokenizer.json", "tokenizer_config.json", "pytorch_model.bin", beside}


def test_a_download_of_an_earlier_finloop_without_a_vocabulary_is_completed(hub: Hub, tmp_path: Path) -> None:
    """Earlier versions left out spm.model, and wrote no list of files."""
    base = find_base_model(hub.name, tmp_path / "cache", endpoint=hub.url)
    (base.folder / "finloop_base.json").write_text('{"exposed": true}')
    assert find_base_model(hub.name, tmp_path / "cache", endpoint=NOWHERE) == base
    (base.folder / "tokenizer.json").unlink()
    find_base_model(hub.name, tmp_path / "cache", endpoint=hub.url)
    assert (base.folder / "tokenizer.json").is_file()


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "a/b/c", " "])
def test_a_path_that_is_no_folder_is_not_asked_of_the_hub(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no directory") as caught:
        find_base_model(name, tmp_path, endpoint=NOWHERE)
    assert caught.value.part is Part.BASE_MODEL


def test_a_folder_of_safetensors_is_used_where_it_is(tiny_base_folder: Path, tmp_path: Path) -> None:
    base = find_base_model(str(tiny_base_folder), tmp_path / "cache")
    assert base.folder == tiny_base_folder.resolve()
    assert not (tmp_path / "cache").exists()


def test_a_folder_of_pickled_weights_answers_the_same_as_safetensors(tiny_model: Path, tmp_path: Path) -> None:
    folder = pickled(tiny_model, tmp_path / "pickled")
    before = sorted(path.name for path in folder.iterdir())
    base = find_base_model(str(folder), tmp_path / "cache")
    assert sorted(path.name for path in folder.iterdir()) == before  # the user's folder is left alone
    before_it, after_it = (
        Classifier.load(path, LABELS, device="cpu").predict(["profit rose"]).logits
        for path in (tiny_model, base.folder)
    )
    assert np.array_equal(before_it, after_it)
    assert find_base_model(str(folder), tmp_path / "cache") == base


class Malicious:
    """Unpickled carelessly, this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_weights_that_would_run_code_are_refused(tiny_base_folder: Path, tmp_path: Path) -> None:
    folder = pickled(tiny_base_folder, tmp_path / "evil")
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Malicious(tmp_path / "ran")}, protocol=2))
    with pytest.raises(BadInput, match="plain file of weights"):
        find_base_model(str(folder), tmp_path / "cache")
    assert not (tmp_path / "ran").exists()


def test_a_folder_without_configuration_or_weights_is_refused(tiny_base_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no config\.json"):
        find_base_model(str(tmp_path), tmp_path / "cache")
    shutil.copy(tiny_base_folder / "config.json", tmp_path)
    with pytest.raises(BadInput, match="neither"):
        find_base_model(str(tmp_path), tmp_path / "cache")


@pytest.mark.parametrize(
    ("files", "exposed"),
    [
        ({}, True),
        ({"finloop_base.json": '{"exposed": false}'}, False),
        ({"manifest.json": "{}", "finloop_base.json": '{"exposed": false}'}, True),
    ],
)
def test_a_folder_counts_as_exposed_unless_it_says_otherwise(
    files: dict[str, str], exposed: bool, tiny_base_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "base"
    shutil.copytree(tiny_base_folder, folder)
    for name, content in files.items():
        (folder / name).write_text(content)
    assert find_base_model(str(folder), tmp_path / "cache") == BaseModel(str(folder), folder, exposed)
