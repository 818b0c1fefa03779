"""Registers the shared fixtures: every tests/fixtures_*.py is a plugin."""

from pathlib import Path

pytest_plugins = [f"tests.{path.stem}" for path in sorted(Path(__file__).parent.glob("fixtures_*.py"))]
