"""Large files of the Hugging Face hub: what came before a break is kept, and the next try goes on there.

huggingface_hub's own download goes on only while its process lives: it removes the unfinished file when it gives up.
"""

from pathlib import Path


def download(url: str, target: Path, size: int, sha256: str) -> None:
    """Download `size` bytes to `target`, which is replaced only when they are all here; until then they are in a part.

    The part is named by the sum, so that bytes of another revision are not gone on with; the caller checks the sum.
    Raises what huggingface_hub raises when it gives up.
    """
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented, not in __all__

    part = target.with_name(f"{target.name}.{sha256[:16]}.part")
    if part.is_file() and part.stat().st_size > size:
        part.unlink()
    with part.open("ab") as file:
        http_get(url, file, resume_size=file.tell(), headers=build_hf_headers(), expected_size=size)
    part.replace(target)
