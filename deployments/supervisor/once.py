"""Lets several processes share one preparation, which each of them must wait for."""

import threading
from collections.abc import Callable

from storage.errors import FinloopError


def once(action: Callable[[], None]) -> Callable[[], None]:
    """The action for several threads: the first call acts, the others wait for its end, and all have its error."""
    lock = threading.Lock()
    done: list[FinloopError | None] = []

    def act() -> None:
        with lock:
            if not done:
                try:
                    action()
                except FinloopError as error:
                    done.append(error)
                else:
                    done.append(None)
        if done[0] is not None:
            raise done[0]

    return act
