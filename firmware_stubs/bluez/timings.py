"""How long bluetoothd and the kernel take for things; the defaults are theirs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds. A test makes them short; what is 0 happens at once."""

    connect_gives_up_s: float = 40.0
    """L2CAP's connect timeout: how long Connect waits for a device that is not there."""
    attempt_s: float = 4.0
    """The kernel's bound of one connection attempt to a device that it has just heard."""
    disconnect_s: float = 2.0
    """DISCONNECT_TIMER of bluetoothd: how long Disconnect lets profiles say goodbye."""
    forget_s: float = 30.0
    """TemporaryTimeout of main.conf: how long a device nobody cared for stays known after it was last heard."""
