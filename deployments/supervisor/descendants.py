"""Finds and ends every process of a stack, also those that left its process groups and sessions.

Prefect's workers, data loaders and servers start processes that outlive their parents. A process keeps the environment
that it was started with, so each process carries the stack's id there.
"""

import os
import threading
import time
from collections import defaultdict
from collections.abc import Collection

import psutil

STACK = "FINLOOP_STACK"
PROCESS = "FINLOOP_PROCESS"
UNKILLABLE_AFTER = 2.0
"""Seconds after SIGKILL when a process is given up (it hangs in the kernel)."""


def marks(stack_id: str, name: str) -> dict[str, str]:
    """The environment variables that mark one process and its children.

    A stack inside a stack carries both ids, so that the outer one ends the inner one too.
    """
    outer = os.environ.get(STACK)
    return {STACK: f"{outer}/{stack_id}" if outer else stack_id, PROCESS: name}


def marked(stack_id: str, names: Collection[str] | None = None) -> list[psutil.Process]:
    """The living processes started under these names (None: all names) and their descendants, without this process."""
    children: dict[int, list[psutil.Process]] = defaultdict(list)
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            children[process.ppid()].append(process)
            environment = process.environ()
        except psutil.Error:
            # Gone, a zombie, or another user's: no process of ours.
            continue
        if stack_id in environment.get(STACK, "").split("/") and (names is None or environment.get(PROCESS) in names):
            found.append(process)
    known = {process.pid for process in found} | {os.getpid()}
    for process in found:  # grows while it is read: children of children
        for child in children[process.pid]:
            if child.pid not in known and _lives(child):
                known.add(child.pid)
                found.append(child)
    return [process for process in found if process.pid != os.getpid()]


def end(stack_id: str, names: Collection[str] | None = None, grace: float = 4.0) -> list[psutil.Process]:
    """Send each process under these names SIGTERM, and SIGKILL after `grace` seconds, until none is left.

    Returns the processes that still live two seconds after SIGKILL.
    """
    deadline = time.monotonic() + grace
    told: set[psutil.Process] = set()
    pause = threading.Event()
    while left := marked(stack_id, names):
        late = time.monotonic() >= deadline
        for process in left:
            if late or process not in told:
                _signal(process, late)
                told.add(process)
        if time.monotonic() > deadline + UNKILLABLE_AFTER:
            return left
        pause.wait(0.05)
    return []


def _signal(process: psutil.Process, late: bool) -> None:
    try:
        process.kill() if late else process.terminate()
    except psutil.Error:
        return


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
