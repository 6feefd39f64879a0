"""Loopback ports for servers."""

import contextlib
import random
import socket

LOOPBACK = "127.0.0.1"
# Below the kernel's range for outgoing connections (32768 and up): a client that keeps trying to reach a killed
# server on a port of that range may connect to itself, and the server could never come back on its port.
_FIRST, _LAST = 15_000, 31_999
_ATTEMPTS_MAX = 200


class NoFreePort(Exception):
    """No port of our range could be bound on loopback."""


def free_port() -> int:
    """Answer a loopback port that nobody listens on."""
    for _ in range(_ATTEMPTS_MAX):
        port = random.randint(_FIRST, _LAST)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise NoFreePort(f"no free port among {_FIRST}..{_LAST} after {_ATTEMPTS_MAX} attempts")


def listens(port: int) -> bool:
    """Say whether somebody accepts connections on the loopback port."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False
