"""Small files that are replaced whole: whoever reads one sees the old text or the new, never a part."""

import os
from pathlib import Path

READABLE_BY_ALL = 0o644


def replace_file(
    path: Path,
    text: bytes,
    *,
    durable: bool,
    mode: int = READABLE_BY_ALL,
    owner: tuple[int, int] | None = None,
) -> None:
    """Write a file beside the old one and put it in its place; `durable`: it is on the disk on return. Raises OSError.

    One writer at a time. A reader of another user (a technician's shell, the service) may read it, unless `mode` says
    less; `owner` (uid, gid) is whom root gives it to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # what a crash left behind has perhaps another mode
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.fchmod(handle, mode)
        if owner is not None:
            os.fchown(handle, *owner)
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(text)
        if durable:
            os.fsync(handle)
    finally:
        os.close(handle)
    new.replace(path)
    if durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
