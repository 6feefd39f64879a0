"""The machine under the gateway: its clocks, its boot, and whether its wall clock may be believed."""

import ctypes
import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from gateway.clocks.placing import Stamp, unix_ms
from gateway.clocks.watch import ClockWatch, observed
from vitals.clock import ClinicalClock

_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
_NEVER_BEFORE = datetime(2025, 1, 1, tzinfo=UTC)
_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_READ_TRIES = 5
_READ_NS_MAX = 50_000


class ClockTrust(StrEnum):
    """Whether the wall clock counts as synchronised: ask the kernel, or take the operator's word."""

    AUTO = "auto"
    SYNCHRONISED = "synchronised"
    UNSYNCHRONISED = "unsynchronised"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Both clocks at one instant: the wall's (aware UTC), and milliseconds since boot, also while asleep."""

    wall: datetime
    mono_ms: int


class Machine(Protocol):
    """What the gateway asks of the machine it runs on."""

    @property
    def boot_id(self) -> int:
        """A number that changes with every boot."""

    def read(self) -> Clocks:
        """Both clocks as of one instant."""

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

    def read(self) -> Clocks:
        """Read the wall clock between two looks at the boot-time clock; the tightest of a few tries is taken.

        A process that is put aside in between would pair two instants, and move whatever is corrected by them.
        """
        tries = []
        for _ in range(_READ_TRIES):
            before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            wall_ns = time.time_ns()
            taken_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - before_ns
            tries.append((taken_ns, before_ns + taken_ns // 2, wall_ns))
            if taken_ns <= _READ_NS_MAX:
                break
        _, mono_ns, wall_ns = min(tries)
        return Clocks(wall=_EPOCH + timedelta(microseconds=wall_ns // 1000), mono_ms=mono_ns // 1_000_000)

    def is_synchronised(self) -> bool:
        """Ask the kernel (adjtimex), unless the operator has said; a clock before this software is never believed."""
        if self.read().wall < _NEVER_BEFORE or self._trust is ClockTrust.UNSYNCHRONISED:
            return False
        if self._trust is ClockTrust.SYNCHRONISED:
            return True
        timex = _Timex()
        state = self._libc.adjtimex(ctypes.byref(timex))
        return state not in (-1, _TIME_ERROR) and not timex.status & _STA_UNSYNC


class Timekeeper:
    """Stamps in clinical time; asks the kernel about synchronisation every `_ASK_MS`, and whenever the clock jumps."""

    _ASK_MS = 10_000

    def __init__(self, clock: ClinicalClock, machine: Machine) -> None:
        self.clock = clock
        self.watch = ClockWatch()
        self._machine = machine
        self._asked_ms: int | None = None
        self._synchronised = False
        self._jumps_when_right: int | None = None

    @property
    def keeps_time(self) -> bool:
        """Whether the wall clock is right, or was right once and has not been set since: it drifts 2 min a month."""
        return self._jumps_when_right == self.watch.jumps

    @property
    def boot_id(self) -> int:
        """This boot's number."""
        return self._machine.boot_id

    def stamp(self) -> Stamp:
        """Say what time it is, and how far to believe it."""
        now, jumped = self._look()
        if jumped or self._asked_ms is None or now.mono_ms - self._asked_ms >= self._ASK_MS:
            # Asked first and read again behind it: a stamp must not carry a trust that came after its time.
            self._synchronised, self._asked_ms = self._machine.is_synchronised(), now.mono_ms
            now, jumped = self._look()
            if jumped:
                self._synchronised, self._asked_ms = False, None
            if self._synchronised:
                self._jumps_when_right = self.watch.jumps
        return Stamp(
            wall=self.clock.at(now.wall), mono_ms=now.mono_ms, boot_id=self.boot_id, synchronised=self._synchronised
        )

    def elapsed_ms(self, mono_ms: int) -> int:
        """Give clinical milliseconds since boot: they only ever go forward, whatever is done to the wall clock."""
        return round(mono_ms * self.clock.speed)

    def _look(self) -> tuple[Clocks, bool]:
        now, before = self._machine.read(), self.watch
        self.watch = observed(
            before,
            wall_ms=unix_ms(now.wall),
            mono_ms=now.mono_ms,
            synchronised=self._synchronised,
        )
        return now, self.watch.jumps > before.jumps
