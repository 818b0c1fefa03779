"""How many cores this process may use: the least of its affinity and the quotas of its control groups.

A container with a quota of two cores on a machine of 64 sees 64. With 64 threads it would use up its quota in the first
instants of each period, and stand still for the rest.
"""

import os
from collections.abc import Iterator
from pathlib import Path


def cores(root: Path = Path("/"), allowed: int | None = None) -> int:
    """The cores that this process may keep busy, at least one; a part of a core does not count.

    `root` is where `proc` and `sys` are mounted, `allowed` the cores of the affinity (by default that of this process).
    """
    usable = allowed or _affinity()
    return max(1, int(min([usable, *_quotas(root)])))


def limit_threads() -> None:
    """Have the libraries that are loaded later (PyTorch, OpenBLAS) use no more threads than there are cores.

    The user's own OMP_NUM_THREADS is kept.
    """
    os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS") or str(cores())


def share_cores() -> None:
    """Have threads of those libraries, here and in child processes, sleep while they wait for each other.

    By default a waiting thread keeps its core busy. Beside other work the thread that it waits for then gets no core.
    The user's own OMP_WAIT_POLICY is kept.
    """
    os.environ["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY") or "PASSIVE"


def _affinity() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """The quotas, in cores, of the control groups that this process is in, and of the groups around them."""
    for controllers, group in _groups(root / "proc/self/cgroup"):
        if not controllers:
            for folder in _upwards(root / "sys/fs/cgroup", group):
                yield from _quota(_words(folder / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for mounted in {"cpu", controllers}:
                for folder in _upwards(root / "sys/fs/cgroup" / mounted, group):
                    yield from _quota(_words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us"))


def _groups(file: Path) -> Iterator[tuple[str, str]]:
    """(controllers, path of the group): version 2 has one line without controllers, version 1 a line for each."""
    for line in _read(file).splitlines():
        number, *rest = line.split(":", 2)
        if number.isdigit() and len(rest) == 2:
            yield rest[0], rest[1]


def _upwards(mounted: Path, group: str) -> Iterator[Path]:
    # Inside a container the path may be that of the host, where only the mount's own top is ours.
    names = [name for name in group.split("/") if name not in ("", "..")]
    for depth in range(len(names), -1, -1):
        yield mounted.joinpath(*names[:depth])


def _quota(words: list[str]) -> Iterator[float]:
    """Quota and period in microseconds; "max" or -1 is no quota."""
    if len(words) == 2 and all(word.isdigit() for word in words) and int(words[1]) > 0:
        yield int(words[0]) / int(words[1])


def _words(file: Path) -> list[str]:
    return _read(file).split()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # no such group, or a system without control groups
        return ""
