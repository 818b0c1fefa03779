"""Chooses a loopback port for each server: the usual one where it is free, another where it is taken."""

import socket
from collections.abc import Collection

LOOPBACK = "127.0.0.1"


def choose_port(preferred: int = 0, avoid: Collection[int] = ()) -> int:
    """`preferred` if it is free and not in `avoid`, else another free port; 0 means any free port.

    The port is free now, but not reserved: start the server soon, and treat "address in use" as a failed start.
    """
    if preferred and preferred not in avoid and port_is_free(preferred):
        return preferred
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now; a port in TIME_WAIT counts as free, as for a server."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True
