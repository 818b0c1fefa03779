"""Reads the files of the Financial PhraseBank (Malo et al. 2014), and downloads them from the Hugging Face hub.

A file is latin-1, with a line `sentence@label` for each sentence. A sentence may hold `@`, so the last one separates.
Python's `splitlines` is a trap here: it also splits at latin-1's 0x85 and at form feeds. The hub's loading script would
be remote code, so only the zip beside the script is downloaded.
"""

import csv
import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from storage.errors import BadInput, Part, Refused, Unreachable

AGREEMENTS = {50: "50", 66: "66", 75: "75", 100: "All"}
"""The least per cent of annotators who agree, and how the file of this level is named."""

GROUPS_FILE = "clusters.csv"
"""Optional, beside the sentences: `text_id,cluster`, for sentences that must stay together in one split."""

REPOSITORY = "takala/financial_phrasebank"
ZIP = "data/FinancialPhraseBank-v1.0.zip"
_FOLDER = "FinancialPhraseBank-v1.0"
_SUMS = "SHA256SUMS"
_LARGEST_MEMBER = 20_000_000


@dataclass(frozen=True, slots=True)
class Sentences:
    """The file of one agreement level: its lines with their 1-based numbers, not yet split, and the file's hash.

    `groups` maps text ids to the group that must stay in one split; it is empty for the real PhraseBank.
    """

    path: Path
    sha256: str
    lines: tuple[tuple[int, str], ...]
    groups: Mapping[str, str]


def read_sentences(folder: Path, agreement: int) -> Sentences:
    """Read one agreement level (50, 66, 75 or 100) from the zip's inner folder or its parent.

    Raises BadInput for a missing file and for a file in another encoding.
    """
    path = _sentences_file(folder, agreement)
    content = path.read_bytes()
    if not content.isascii() and _is_utf8(content):
        raise BadInput(f"{path} is UTF-8; a PhraseBank file is latin-1.\nConvert it: iconv -f UTF-8 -t LATIN1.")
    lines = content.decode("latin-1").removesuffix("\n").split("\n")
    numbered = tuple((number, line.removesuffix("\r")) for number, line in enumerate(lines, start=1))
    return Sentences(path, hashlib.sha256(content).hexdigest(), numbered, read_groups(path.parent / GROUPS_FILE))


def split_line(line: str) -> tuple[str, str]:
    """The sentence and the label of a line, unchanged. Raises BadInput for a line without a label."""
    sentence, at, label = line.rpartition("@")
    if not at:
        raise BadInput("no @label at its end: the line is empty or half-written")
    return sentence, label


def fetch_phrasebank(cache: Path, endpoint: str | None = None) -> Path:
    """The folder of the PhraseBank's files under `cache`: downloaded at the first call, afterwards only checked.

    A download that breaks off is tried again. `endpoint` is the hub's address, by default huggingface_hub's own. Raises
    Unreachable where no hub responds, Refused where the hub has no such file, BadInput where the zip is damaged.
    """
    folder = cache / _FOLDER
    if _intact(folder):
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    archive = _download(cache / "hub", endpoint)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        fresh = Path(scratch) / _FOLDER
        _unpack(archive, fresh)
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    return folder


def _sentences_file(folder: Path, agreement: int) -> Path:
    if agreement not in AGREEMENTS:
        levels = ", ".join(map(str, AGREEMENTS))
        raise BadInput(f"the PhraseBank has no agreement level {agreement}: {levels}")
    name = f"Sentences_{AGREEMENTS[agreement]}Agree.txt"
    for place in (folder, folder / _FOLDER):
        if (place / name).is_file():
            return place / name
    raise BadInput(f"there is no {name} in {folder}", Part.SEED_DATA)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def read_groups(path: Path) -> dict[str, str]:
    """Text id -> group; empty where there is no file. Raises BadInput where the columns are not text_id,cluster."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if set(reader.fieldnames or ()) != {"text_id", "cluster"}:
            raise BadInput(f"{path} needs the columns text_id,cluster, it has {reader.fieldnames}.")
        return {row["text_id"]: row["cluster"] for row in reader}


def _download(cache: Path, endpoint: str | None) -> Path:
    """The zip from the hub. The sum is checked where the hub names the file by its SHA-256, as it does large files."""
    import httpx2  # what huggingface_hub raises when a download stops for good
    from huggingface_hub import constants, get_session, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    address = endpoint or constants.ENDPOINT
    try:
        if not isinstance(try_to_load_from_cache(REPOSITORY, ZIP, cache_dir=cache, repo_type="dataset"), str):
            # Without a hub the download would try for half a minute; any response shows that there is one.
            get_session().head(address, timeout=8)
        found = hf_hub_download(REPOSITORY, ZIP, repo_type="dataset", cache_dir=cache, endpoint=endpoint)
    except HfHubHTTPError as error:
        reason = _first_line(error)
        raise Refused(f"the hub at {address} gives no {REPOSITORY}/{ZIP}: {reason}", Part.SEED_DATA) from error
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, httpx2.TransportError) as error:
        raise Unreachable(Part.SEED_DATA, address, _first_line(error), name="Hugging Face hub") from error
    archive = Path(found).resolve()
    if len(archive.name) == 64 and hashlib.sha256(archive.read_bytes()).hexdigest() != archive.name:
        archive.unlink()
        raise BadInput(f"the PhraseBank's zip from {address} does not have the sum {archive.name}.\nFetch it again.")
    return archive


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack only files of known names, so that no path in the zip decides where a file is written."""
    wanted = {f"Sentences_{name}Agree.txt" for name in AGREEMENTS.values()}
    sums: dict[str, str] = {}
    folder.mkdir()
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                name = PurePosixPath(member.filename).name
                if member.filename != f"{_FOLDER}/{name}" or name not in wanted | {"License.txt", "README.txt"}:
                    continue
                if member.file_size > _LARGEST_MEMBER:
                    raise BadInput(f"{name} in the PhraseBank's zip has {member.file_size:,} bytes; that is not it.")
                content = opened.read(member)
                (folder / name).write_bytes(content)
                sums[name] = hashlib.sha256(content).hexdigest()
    except zipfile.BadZipFile as error:
        archive.unlink()
        raise BadInput(f"what the hub gave as {ZIP} is not a whole zip: {error}.\nFetch it again.") from error
    if missing := wanted - set(sums):
        raise BadInput(f"the PhraseBank's zip lacks {', '.join(sorted(missing))}.")
    sums[PurePosixPath(ZIP).name] = hashlib.sha256(archive.read_bytes()).hexdigest()
    (folder / _SUMS).write_text("".join(f"{total}  {name}\n" for name, total in sorted(sums.items())))


def _intact(folder: Path) -> bool:
    """Whether every file has the sum that was recorded when it was unpacked."""
    record = folder / _SUMS
    if not record.is_file():
        return False
    for line in record.read_text().splitlines():
        total, name = line.split("  ", maxsplit=1)
        path = folder / name
        if name != PurePosixPath(ZIP).name and (
            not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != total
        ):
            return False
    return True
