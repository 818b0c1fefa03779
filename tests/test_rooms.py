"""The rooms keep their arrows: deployments -> flows -> labeling, training -> storage, also inside functions."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.scheme import DEFAULT, find_scheme

REPOSITORY = Path(__file__).parent.parent
MAY_IMPORT = {
    "storage": set[str](),
    "labeling": {"storage"},
    "training": {"storage"},
    "flows": {"labeling", "training", "storage"},
    "deployments": {"flows", "labeling", "training", "storage"},
    "benchmarks": {"deployments", "flows", "labeling", "training", "storage"},
}
WITHOUT_ENVIRONMENT = {"storage", "labeling", "training"}
WITHOUT_PREFECT = {"storage", "labeling", "training"}
NARROW = {
    re.compile(r"^flows/steps/"): (
        re.compile(r"^(prefect|flows\.wiring|flows\.prefect_api|pydantic_settings)(\.|$)"),
        "steps import",
    ),
    re.compile(r"^deployments/supervisor/"): (
        re.compile(r"^(?!deployments\.supervisor\b|storage\.errors\b)(storage|labeling|training|flows|deployments)\."),
        "the supervisor imports",
    ),
    re.compile(r"^deployments/web/"): (
        re.compile(r"^(?!deployments\.web\b)(storage|labeling|training|flows|deployments)\."),
        "what all web processes share imports",
    ),
    re.compile(r"^(storage|labeling|training|flows/(?!prefect_api/)|deployments/(?!local/))"): (
        re.compile(r"^prefect\.(client|events)(\.|$)"),
        "only flows/prefect_api speaks to the Prefect server; another module imports",
    ),
}
"""Folders that may import less than their room: the path, what must not be imported there, and how a fault is told."""

INTENTS = "flows/intents.py"
MIGRATIONS = "storage/sql/migrations/"
STORED_INTENT = re.compile(r"^(retrain|resume|deploy|promote):|^enough-labels$|^finloop\.(labels|model)\.")
INTENT_ROOMS = ("deployments", "flows", "labeling", "storage", "training")
ANSWER_KEY = "deployments.demo.annotator"
"""The stand-in with the answer key: only the demo may know it, so that nothing that trains or judges can peek."""
MAY_KNOW_ANSWERS = re.compile(r"^deployments/(demo/\w+|cli/\w+)\.py$")
TERMINAL = {"typer", "rich"}
MAY_SPEAK = re.compile(r"^(deployments/(demo|cli)|benchmarks)/")
"""What speaks in a terminal; everything else returns values."""
PLACES = re.compile(
    r"\.\./shared|/work\b|/tmp/\w|/opt/|/home/\w|/root/|https?://[\w.-]*(pypi|artifactory|nexus|mirror)"
)
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
OF_DEFAULT_SCHEME = re.compile(rf"\b({'|'.join(find_scheme(DEFAULT).names)})\b", re.IGNORECASE)
MAY_NAME_LABELS = re.compile(r"^(training/data/sample|deployments/demo|storage/sql/migrations)/")
"""The sample and the demo are of the default scheme, and a migration is history."""


def sources(room: str) -> list[Path]:
    return sorted((REPOSITORY / room).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, wherever in the file; `from a import b` gives a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "." * node.level + (node.module or "")
                continue
            yield node.lineno, node.module or ""
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            first = node.args[0] if node.args else None
            known = isinstance(first, ast.Constant) and isinstance(first.value, str)
            yield node.lineno, str(first.value) if known and isinstance(first, ast.Constant) else "?"


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def faults(room: str, path: str, source: str) -> list[str]:
    """What breaks the rules in one module, as `path:line what`."""
    tree = ast.parse(source)
    found = [f"{path}:{line} {fault}" for line, name in imports(tree) if (fault := _wrong_import(room, path, name))]
    if room in WITHOUT_ENVIRONMENT:
        found += [f"{path}:{line} reads the environment" for line in _environment(tree)]
    if room in INTENT_ROOMS and path != INTENTS and not path.startswith(MIGRATIONS):
        found += [f"{path}:{line} spells an intent, which {INTENTS} alone does" for line in _spelled_intents(tree)]
    if path.endswith("__init__.py") and source.strip():
        found.append(f"{path}:1 is not empty")
    found += [
        f"{path}:{number} names a place outside the project"
        for number, line in enumerate(source.splitlines(), start=1)
        if PLACES.search(line)
    ]
    if not MAY_NAME_LABELS.match(path):
        found += [
            f"{path}:{number} names a label of the default scheme, which is data"
            for number, line in enumerate(source.splitlines(), start=1)
            if OF_DEFAULT_SCHEME.search(line)
        ]
    return sorted(set(found))


def _wrong_import(room: str, path: str, name: str) -> str | None:
    target = name.partition(".")[0]
    knows_answers = name == ANSWER_KEY or name.startswith(f"{ANSWER_KEY}.")
    wrong = {
        f"imports {name} relatively, which hides the room": name.startswith("."),
        "imports a name that is computed, which hides the room": name == "?",
        f"imports {target}, which lies to the left or beside {room}": target
        in MAY_IMPORT.keys() - MAY_IMPORT[room] - {room},
        "imports the tests": target == "tests",
        "imports prefect, which belongs to flows": target == "prefect" and room in WITHOUT_PREFECT,
        f"imports {target}, which belongs to the command line": target in TERMINAL and not MAY_SPEAK.match(path),
        "imports the stand-in that knows the answers": knows_answers and not MAY_KNOW_ANSWERS.match(path),
    }
    narrow = [f"{said} {name}" for where, (what, said) in NARROW.items() if where.match(path) and what.match(name)]
    return next((fault for fault, true in wrong.items() if true), next(iter(narrow), None))


def _spelled_intents(tree: ast.AST) -> Iterator[int]:
    """Strings that name an intent, in f-strings too; and the kinds that are plain words where a kind is given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and STORED_INTENT.match(node.value):
            yield node.lineno
        elif isinstance(node, ast.Call) and _called(node) in {"open", "troubled", "intend"}:
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            kinds = {"challenger", "resume", "promote", "enough-labels"}
            yield from (one.lineno for one in given if isinstance(one, ast.Constant) and one.value in kinds)


def _environment(tree: ast.AST) -> Iterator[int]:
    # A switch that a library takes from nowhere else may be set; nothing may be read, not even what was set.
    switches = {
        id(node.value.func.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _called(node.value) == "setdefault"
        if isinstance(node.value.func, ast.Attribute)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT and id(node) not in switches:
            yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (node.lineno for alias in node.names if alias.name in ENVIRONMENT)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            if any(name.partition(".")[0] in {"dotenv", "pydantic_settings"} for name in names):
                yield node.lineno


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_no_module_of_a_room_breaks_its_rules(room: str) -> None:
    found = [
        fault
        for path in sources(room)
        for fault in faults(room, path.relative_to(REPOSITORY).as_posix(), path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_every_room_is_read() -> None:
    assert [room for room in MAY_IMPORT if room != "benchmarks" and len(sources(room)) < 2] == []


def test_the_rooms_are_the_packages_that_are_installed() -> None:
    import tomllib

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["tool"]["setuptools"]["packages"]) == set(MAY_IMPORT) - {"benchmarks"}


@pytest.mark.parametrize(
    ("room", "path", "source", "fault"),
    [
        ("labeling", "labeling/a.py", "import training.data.merge", "labeling/a.py:1 imports training"),
        ("training", "training/a.py", "from labeling import batch", "training/a.py:1 imports labeling"),
        (
            "storage",
            "storage/a.py",
            "def f():\n    from flows.wiring.settings import Settings",
            "storage/a.py:2 imports flows",
        ),
        ("flows", "flows/a.py", "if True:\n    import deployments", "flows/a.py:2 imports deployments"),
        (
            "storage",
            "storage/a.py",
            "import importlib\nimportlib.import_module('flows.x')",
            "storage/a.py:2 imports flows",
        ),
        ("storage", "storage/a.py", "__import__(name)", "storage/a.py:1 imports a name that is computed"),
        ("storage", "storage/a.py", "from . import text", "storage/a.py:1 imports . relatively"),
        ("training", "training/a.py", "import prefect.states", "training/a.py:1 imports prefect"),
        ("flows", "flows/a.py", "from tests import x", "flows/a.py:1 imports the tests"),
        ("deployments", "deployments/serving/app.py", "from deployments.demo import annotator", "knows the answers"),
        ("flows", "flows/sync.py", "from rich.table import Table", "flows/sync.py:1 imports rich"),
        ("deployments", "deployments/local/a.py", "import typer", "deployments/local/a.py:1 imports typer"),
        ("flows", "flows/steps/a.py", "from flows.prefect_api.events import deliver", "steps import flows.prefect_api"),
        ("storage", "storage/a.py", "import os\nos.environ['A']", "storage/a.py:2 reads the environment"),
        ("storage", "storage/a.py", "import os\nx = os.environ.setdefault('A', 'b')", "storage/a.py:2 reads the"),
        ("labeling", "labeling/a.py", "import os\nos.getenv('A')", "labeling/a.py:2 reads the environment"),
        ("training", "training/a.py", "from os import environ", "training/a.py:1 reads the environment"),
        ("training", "training/a.py", "from pydantic_settings import BaseSettings", "reads the environment"),
        ("flows", "flows/__init__.py", "from flows.score import score", "flows/__init__.py:1 is not empty"),
        ("flows", "flows/steps/a.py", "from prefect import flow", "flows/steps/a.py:1 steps import prefect"),
        (
            "flows",
            "flows/steps/a.py",
            "if 1:\n    from flows.wiring.parts import Parts",
            "a.py:2 steps import flows.wiring",
        ),
        ("flows", "flows/steps/a.py", "from flows import wiring", "flows/steps/a.py:1 steps import flows.wiring"),
        ("flows", "flows/a.py", "from prefect.client.orchestration import get_client", "only flows/prefect_api speaks"),
        (
            "deployments",
            "deployments/supervisor/a.py",
            "from storage.clock import now",
            "deployments/supervisor/a.py:1 the supervisor imports storage.clock",
        ),
        ("deployments", "deployments/supervisor/a.py", "import deployments.local.home", "the supervisor imports"),
        ("flows", "flows/steps/a.py", "key = f'retrain:{watermark}'", "flows/steps/a.py:1 spells an intent"),
        ("labeling", "labeling/a.py", "KIND = 'enough-labels'", "labeling/a.py:1 spells an intent"),
        ("flows", "flows/a.py", "outbox.open('challenger')", "flows/a.py:1 spells an intent"),
        ("deployments", "deployments/cli/a.py", "outbox.troubled(kind='promote')", "spells an intent"),
        ("flows", "flows/a.py", f"A = '..{'/'}shared/data'", "flows/a.py:1 names a place"),
        ("flows", "flows/a.py", f"# see {'/'}work/main", "flows/a.py:1 names a place"),
        ("training", "training/a.py", "A = 1\nB = 'Positive'", "training/a.py:2 names a label"),
        ("storage", "storage/a.py", '"""Whether a text is neutral."""', "storage/a.py:1 names a label"),
    ],
)
def test_the_checker_finds_a_broken_rule(room: str, path: str, source: str, fault: str) -> None:
    assert any(fault in found for found in faults(room, path, source))


@pytest.mark.parametrize(
    ("room", "path", "source"),
    [
        ("flows", "flows/a.py", "from storage import records\nimport os\nos.environ['A']\nimport prefect"),
        ("deployments", "deployments/demo/run.py", "from deployments.demo.annotator import annotate\nimport rich"),
        ("training", "training/a.py", "def f():\n    import torch\n    from training.data.clusters import clusters"),
        ("storage", "storage/__init__.py", ""),
        ("flows", "flows/intents.py", "key = f'retrain:{watermark}'"),
        ("flows", "flows/retrain.py", "registry.set_alias('challenger', version)"),
        ("flows", "flows/prefect_api/pools.py", "from prefect.client.orchestration import get_client"),
        (
            "deployments",
            "deployments/supervisor/a.py",
            "from storage.errors import Failed\nfrom deployments.supervisor.ports import choose_port",
        ),
        ("storage", "storage/a.py", "TOTAL = 'nonnegative positives'"),
        ("training", "training/data/sample/a.py", "SIGNS = ('positive', 'negative')"),
        ("storage", "storage/a.py", "import os\nos.environ.setdefault('TELEMETRY', 'false')"),
    ],
)
def test_the_checker_leaves_the_right_arrows_alone(room: str, path: str, source: str) -> None:
    assert faults(room, path, source) == []


def test_nothing_in_the_tests_names_a_place_outside_the_project() -> None:
    named = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in sources("tests")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if PLACES.search(line)
    ]
    assert named == []
