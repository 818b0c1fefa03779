"""What the demo refuses before it starts anything."""

from pathlib import Path

import pytest

from deployments.demo.run import Options, run_demo
from storage.errors import BadInput

pytestmark = pytest.mark.usefixtures("clean_environment")


def texts(path: Path, labelled: int, unlabelled: int = 0) -> Path:
    """A CSV of so many texts that differ."""
    lines = [f"{index} is up,positive" for index in range(labelled)]
    lines += [f"nobody said what {index} is," for index in range(unlabelled)]
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return path


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "labels", "audit", "said"),
    [
        (100, 0, 10, 60, "too few for an audit of 60"),
        (400, 0, 300, 100, "too few for 300 labels"),
        (200, 2000, 190, 60, "200 texts that can be answered"),
    ],
)
def test_too_few_texts_are_told_before_anything_starts(
    tmp_path: Path, labelled: int, unlabelled: int, labels: int, audit: int, said: str
) -> None:
    path = texts(tmp_path / "posts.csv", labelled, unlabelled)
    home = tmp_path / "work"
    with pytest.raises(BadInput, match=said):
        run_demo(Options(texts=path, labels=labels, audit=audit, home=home, rounds=1, seed=0, keep=False))
    assert not home.exists() or not any(home.iterdir())
