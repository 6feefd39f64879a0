"""Ports to listen on: one that can not be had is named with the setting that chooses another."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

_BACKLOG = 2048
_NOT_ON_THIS_MACHINE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class PortRefused(Exception):
    """A port that a setting names can not be listened on."""


@contextmanager
def port_named(host: str, port: int, *, setting: str) -> Iterator[None]:
    """Listen within; `setting` is the port's. Raises PortRefused, which names it."""
    try:
        yield
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise PortRefused(f"port {port} is taken: choose another {setting}") from exc
        if exc.errno == errno.EACCES:
            raise PortRefused(f"this user may not listen on port {port}: choose another {setting}") from exc
        raise PortRefused(f"{host}:{port}, of {setting} and its host, can not be had: {exc.strerror}") from exc


def sockets_on(host: str, port: int) -> list[socket.socket]:
    """Listen on every address that the host's name has here. Raises OSError where one is taken, or none is there."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listening: list[socket.socket] = []
    refused: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        try:
            listening.append(socket.create_server(address, family=family, backlog=_BACKLOG))
        except OSError as exc:
            refused = exc
            if exc.errno not in _NOT_ON_THIS_MACHINE:  # such as ::1 of localhost where there is no IPv6
                break
    if refused and (not listening or refused.errno not in _NOT_ON_THIS_MACHINE):
        for each in listening:
            each.close()
        raise refused
    return listening
