"""Python programs that run beside each other in processes of their own and begin at the same moment."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent


def at_once(program: str, arguments: Sequence[Sequence[str]]) -> list[str]:
    """What each run of the program printed after its line `ready`, upon which it waits for a line of input."""
    command = [sys.executable, "-c", program]
    processes = [
        subprocess.Popen(
            [*command, *of_one],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
        for of_one in arguments
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", process.communicate(timeout=10)[1]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        printed = [process.communicate(timeout=60) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait(10)
    assert [process.returncode for process in processes] == [0] * len(processes), [error for _, error in printed]
    return [output for output, _ in printed]
