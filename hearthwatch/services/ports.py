"""Loopback ports for servers."""

import contextlib
import secrets
import socket

LOOPBACK = "127.0.0.1"
# Below the kernel's range for outgoing connections (32768 and up): a client that keeps trying to reach a killed
# server on a port of that range may connect to itself, and the server could never come back on its port.
_FIRST, _LAST = 15_000, 31_999
_ATTEMPTS_MAX = 200


class NoFreePort(Exception):
    """No port of our range could be bound on loopback."""


def free_port() -> int:
    """Answer a loopback port that is ours to listen on: no other call answers it while this process lives."""
    for _ in range(_ATTEMPTS_MAX):
        port = _FIRST + secrets.randbelow(_LAST - _FIRST + 1)  # not of `random`, which others seed
        if _claimed(port):
            return port
    raise NoFreePort(f"no free port among {_FIRST}..{_LAST} after {_ATTEMPTS_MAX} attempts")


def _claimed(port: int) -> bool:
    """Stay bound to the port for as long as we live, so that others find it taken before our server listens.

    Two sockets that both allow it may be bound to one port while only one listens: servers set SO_REUSEADDR, a claim
    that looks whether the port is free does not, and allows it once it has the port.
    """
    claim = socket.socket()
    try:
        claim.bind((LOOPBACK, port))
    except OSError:
        claim.close()
        return False
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    claim.detach()  # never closed, only forgotten
    return True


def listens(port: int) -> bool:
    """Say whether somebody accepts connections on the loopback port."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False
