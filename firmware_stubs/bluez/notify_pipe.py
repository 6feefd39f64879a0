"""AcquireNotify's other end: a socket through which one client gets a characteristic's values, off the bus."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable


class NotifyPipe:
    """One datagram a value. `on_close` is called when the client has closed its end."""

    def __init__(self, on_close: Callable[[], None]) -> None:
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self._on_close = on_close
        asyncio.get_running_loop().add_reader(self._ours, self._on_readable)

    def hand_over(self) -> int:
        """Return the client's end as a file descriptor that belongs to the receiver."""
        return self.theirs.detach()

    def send(self, value: bytes) -> None:
        """Send a value; one that does not fit any more is lost, as with bluetoothd."""
        with contextlib.suppress(OSError):
            self._ours.send(value)

    def close(self) -> None:
        """End it; harmless twice."""
        asyncio.get_running_loop().remove_reader(self._ours)
        self._ours.close()

    def _on_readable(self) -> None:
        with contextlib.suppress(OSError):
            if self._ours.recv(1):
                return
        self.close()
        self._on_close()
