"""Tries the box itself: does its folder keep data, what does the storage say of itself, is the voltage right."""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from gateway.selftest.findings import Card

SYSTEM = Path("/sys")
_TRIAL = b"hearthwatch selftest\n" * 200
_STEP_PERCENT = 10  # JEDEC eMMC 5.1, EXT_CSD 268: life used in steps of ten percent, 11 is beyond


def keeps_data(folder: Path) -> tuple[str | None, float]:
    """Write, sync and remove a file; answer what went wrong, and the milliseconds of the sync."""
    trial = folder / f".selftest-{os.getpid()}"
    try:
        handle = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, _TRIAL)
            began = time.monotonic()
            os.fsync(handle)
            return None, (time.monotonic() - began) * 1000
        finally:
            os.close(handle)
            trial.unlink(missing_ok=True)
    except OSError as exc:
        return exc.strerror or str(exc), 0.0


def free_bytes(folder: Path) -> int:
    """Answer what this user may still write."""
    return shutil.disk_usage(folder).free


def cards(system: Path = SYSTEM) -> tuple[Card, ...]:
    """Ask the kernel for eMMC and SD cards: how worn, and how many errors of a file system on them."""
    return tuple(
        Card(
            name=block.name,
            worn_percent=_worn_percent(block / "device" / "life_time"),
            file_system_errors=_errors_on(block, system),
        )
        for block in sorted((system / "block").glob("mmcblk[0-9]*"))
        if "boot" not in block.name and "rpmb" not in block.name
    )


def is_voltage_low(system: Path = SYSTEM) -> bool | None:
    """Ask a Raspberry Pi's voltage monitor (rpi_volt); None where there is none."""
    for sensor in (system / "class" / "hwmon").glob("hwmon*"):
        with suppress(OSError):
            if (sensor / "name").read_text().strip() == "rpi_volt":
                return (sensor / "in0_lcrit_alarm").read_text().strip() == "1"
    return None


def _worn_percent(file: Path) -> int | None:
    """Read the worse of the two estimates of an eMMC; 0x00 says nothing."""
    with suppress(OSError, ValueError):
        steps = max(int(part, 16) for part in file.read_text().split())
        return steps * _STEP_PERCENT if steps else None
    return None


def _errors_on(block: Path, system: Path) -> int:
    found = 0
    for counter in (system / "fs" / "ext4").glob(f"{block.name}*/errors_count"):
        with suppress(OSError, ValueError):
            found += int(counter.read_text())
    return found
