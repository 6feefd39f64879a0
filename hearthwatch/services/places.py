"""Where servers are kept: the cache of what was fetched, and one locked folder per running instance."""

import fcntl
import os
import shutil
import uuid
from pathlib import Path
from typing import IO

SYSTEM_CACHE = Path("/var/cache/hearthwatch")
_TEMPORARY = "temporary-"


class PlaceError(Exception):
    """A folder that is needed is missing or belongs to another process."""


def cache_dir() -> Path:
    """Answer the folder of fetched programs: HEARTHWATCH_CACHE, else the system's (root) or the user's."""
    chosen = os.environ.get("HEARTHWATCH_CACHE")
    if chosen:
        return Path(chosen)
    if os.geteuid() == 0:
        return SYSTEM_CACHE
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hearthwatch"


def instances_dir(server: str) -> Path:
    """Answer the folder of the instances of one kind of server."""
    return cache_dir() / "instances" / server


def deploy_dir() -> Path:
    """Answer the checkout's deploy/ folder, whose scripts fetch servers."""
    folder = Path(__file__).resolve().parents[2] / "deploy"
    if not folder.is_dir():
        raise PlaceError(f"{folder} is missing: fetching servers needs a checkout of the repository")
    return folder


class Instance:
    """A folder for one server's files, held by this process until it lets go.

    Without a name it is temporary: whoever comes next removes it if its owner died without doing so.
    """

    def __init__(self, parent: Path, name: str | None = None) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        self.temporary = name is None
        self.path = parent / (name or f"{_TEMPORARY}{uuid.uuid4().hex[:8]}")
        with (parent / "lock").open("a") as one_at_a_time:  # else a sweep could take a folder that is just being made
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
            _sweep(parent)
            self.path.mkdir(mode=0o755, exist_ok=True)
            lock = _lock(self.path)
        if lock is None:
            raise PlaceError(f"{self.path} is in use by another process")
        self._lock: IO[str] = lock

    def release(self) -> None:
        """Let go of the folder; a temporary one is removed."""
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _sweep(parent: Path) -> None:
    for path in parent.glob(f"{_TEMPORARY}*"):
        lock = _lock(path)
        if lock is not None:
            shutil.rmtree(path, ignore_errors=True)
            lock.close()


def _lock(folder: Path) -> IO[str] | None:
    """Hold the folder's lock for the life of the returned file; None where another process holds it."""
    file = (folder / "lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
