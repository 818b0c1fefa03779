"""Registers the shared fixtures: every tests/fixtures_*.py is a plugin."""

from pathlib import Path

from hypothesis import settings

from deployments.supervisor.cores import share_cores

share_cores()  # two runs of tests share the cores, and no library that reads the setting is loaded yet
# No deadline for an example: the first one of a module imports, and any one waits on a busy machine.
settings.register_profile("finloop", deadline=None)
settings.load_profile("finloop")
pytest_plugins = [f"tests.{path.stem}" for path in sorted(Path(__file__).parent.glob("fixtures_*.py"))]
