"""Runs the command as a terminal would, in this process."""

import sys

import pytest

from deployments.cli.main import main


def finloop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    """Run the command in this process: exit code, stdout, stderr."""
    monkeypatch.setattr(sys, "argv", ["finloop", *arguments])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    code = ended.value.code
    return code if isinstance(code, int) else 0 if code is None else 1, told.out, told.err
