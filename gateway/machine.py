"""The machine under the gateway: its clocks, its boot, and whether its wall clock may be believed."""

import ctypes
import time
import zlib
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from gateway.placing import Stamp
from vitals.clock import ClinicalClock

_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
_NEVER_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
_STA_UNSYNC = 0x0040
_TIME_ERROR = 5


class ClockTrust(StrEnum):
    """Whether the wall clock counts as synchronised: ask the kernel, or take the operator's word."""

    AUTO = "auto"
    SYNCHRONISED = "synchronised"
    UNSYNCHRONISED = "unsynchronised"


class Machine(Protocol):
    """What the gateway asks of the machine it runs on."""

    @property
    def boot_id(self) -> int:
        """A number that changes with every boot."""

    def utcnow(self) -> datetime:
        """The wall clock, aware UTC."""

    def mono_ms(self) -> int:
        """Milliseconds since boot, also while asleep."""

    def is_synchronised(self) -> bool:
        """Whether the wall clock may be believed."""


class _Timex(ctypes.Structure):
    """The head of the kernel's struct timex (adjtimex(2)); the tail is only room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("room", ctypes.c_byte * 256),
    )


class LinuxMachine:
    """The real machine; `boot_id` is a digest of the kernel's own, so it outlives the process but not the boot."""

    def __init__(self, trust: ClockTrust) -> None:
        self._trust = trust
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._boot_id = zlib.crc32(_BOOT_ID_FILE.read_bytes().strip())

    @property
    def boot_id(self) -> int:
        """A number that changes with every boot."""
        return self._boot_id

    def utcnow(self) -> datetime:
        """Read the wall clock."""
        return datetime.now(UTC)

    def mono_ms(self) -> int:
        """Read the boot-time clock: it also counts while the machine sleeps."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def is_synchronised(self) -> bool:
        """Ask the kernel (adjtimex), unless the operator has said; a clock before this software is never believed."""
        if self.utcnow() < _NEVER_BEFORE or self._trust is ClockTrust.UNSYNCHRONISED:
            return False
        if self._trust is ClockTrust.SYNCHRONISED:
            return True
        timex = _Timex()
        state = self._libc.adjtimex(ctypes.byref(timex))
        return state not in (-1, _TIME_ERROR) and not timex.status & _STA_UNSYNC


class Timekeeper:
    """Stamps in clinical time; the kernel is asked about synchronisation at most every `_ASK_MS`."""

    _ASK_MS = 10_000

    def __init__(self, clock: ClinicalClock, machine: Machine) -> None:
        self.clock = clock
        self._machine = machine
        self._asked_ms: int | None = None
        self._synchronised = False

    @property
    def boot_id(self) -> int:
        """This boot's number."""
        return self._machine.boot_id

    def stamp(self) -> Stamp:
        """Say what time it is, and how far to believe it."""
        mono_ms = self._machine.mono_ms()
        if self._asked_ms is None or mono_ms - self._asked_ms >= self._ASK_MS:
            self._synchronised, self._asked_ms = self._machine.is_synchronised(), mono_ms
        return Stamp(
            wall=self.clock.at(self._machine.utcnow()),
            mono_ms=mono_ms,
            boot_id=self._machine.boot_id,
            synchronised=self._synchronised,
        )
