"""Registers the shared fixtures: every tests/fixtures_*.py is a plugin."""

from pathlib import Path

from deployments.supervisor.cores import share_cores

share_cores()  # two runs of tests share the cores, and no library that reads the setting is loaded yet
pytest_plugins = [f"tests.{path.stem}" for path in sorted(Path(__file__).parent.glob("fixtures_*.py"))]
