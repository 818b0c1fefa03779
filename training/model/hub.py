"""Downloads large files from the Hugging Face hub so that the next try continues an interrupted download.

huggingface_hub's own download removes the unfinished file when it gives up: the next process would start again.
"""

from pathlib import Path


def download(url: str, target: Path, size: int, sha256: str) -> None:
    """Download `size` bytes to `target`, which appears when it is complete; until then they are in a `.part` file.

    The name of that file holds the sum, so that a download of another revision is not continued. The caller checks the
    sum. Raises the errors of huggingface_hub when it gives up.
    """
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented, not in __all__

    unfinished = target.with_name(f"{target.name}.{sha256[:16]}.part")
    if unfinished.is_file() and unfinished.stat().st_size > size:
        unfinished.unlink()
    with unfinished.open("ab") as file:
        http_get(url, file, resume_size=file.tell(), headers=build_hf_headers(), expected_size=size)
    unfinished.replace(target)
