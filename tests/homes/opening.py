"""Work folders as earlier code wrote them, kept as text and one tiny model a version: what newer code must open.

`home_1` was made by the code of commit 21d796f through its own stores and steps; `expected.json` is what that code said
of it. @HOME@ stands for the folder wherever a home keeps its own path.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

HOME_1 = Path(__file__).parent / "home_1"
DATABASES = ("finloop", "texts", "mlflow")
FOLDERS = ("models", "phrasebank", "downloads")
PLACE = "@HOME@"


def put_home(folder: Path) -> Path:
    """Make that home in a folder that is empty or not there yet, and return the folder as the home calls itself."""
    home = folder.resolve()
    home.mkdir(parents=True, exist_ok=True)
    for name in DATABASES:
        _put_database(HOME_1 / f"{name}.sql", home / f"{name}.db", home)
    for name in FOLDERS:
        shutil.copytree(HOME_1 / name, home / name)
    shutil.copyfile(HOME_1 / "answer-key.csv", home / "answer-key.csv")
    quoted = str(home).replace("\\", "\\\\").replace("'", "\\'").replace("${", "${:-${}")
    written = (HOME_1 / "finloop.env.txt").read_text(encoding="utf-8").replace(PLACE, quoted)
    (home / "finloop.env").write_text(written, encoding="utf-8")
    return home


def _put_database(dump: Path, path: Path, home: Path) -> None:
    script = dump.read_text(encoding="utf-8").replace(f"file://{PLACE}", _literal(home.as_uri()))
    with closing(sqlite3.connect(path)) as database:
        database.executescript(script.replace(PLACE, _literal(str(home))))


def _literal(value: str) -> str:
    """As it stands inside an SQL string."""
    return value.replace("'", "''")
