"""Whether a gateway runs on an outbox: by the lock it holds, and by its last word."""

import fcntl
import os
from pathlib import Path

from gateway.claims.device_list import is_live
from gateway.report.status_file import StatusFile, status_path
from gateway.settings import GatewaySettings


def is_running(settings: GatewaySettings) -> bool:
    """Ask the lock, and where that says no (the outbox is in memory, the disk refuses), the last status."""
    last = StatusFile(status_path(settings.outbox_path, settings.status_file)).read()
    return holds_lock(settings.outbox_path) or (last is not None and is_live(last.payload, last.age_s))


def holds_lock(outbox: Path) -> bool:
    """Ask whether a process holds this outbox; one whose lock we may not look at is not seen."""
    try:
        handle = os.open(outbox.with_name(f"{outbox.name}.lock"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
