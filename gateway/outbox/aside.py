"""Files put aside beside the outbox, broken ones and strangers found in its place: named, kept while waited for."""

from collections.abc import Collection
from contextlib import suppress
from itertools import chain
from pathlib import Path

from gateway.outbox.disk import beside, remove

SET_ASIDE_MAX = 5
BROKEN = "unreadable"
STRANGER = "stranger"


def put_aside(path: Path) -> Path:
    """Rename a broken file and its log. Raises OSError; then nothing is renamed, as far as the disk allows that."""
    aside = next_aside(path, BROKEN)
    rename_whole(path, aside)
    return aside


def next_aside(path: Path, kind: str) -> Path:
    """Name the file that will be put aside next."""
    earlier = files_aside(path)
    return path.with_name(f"{path.name}.{kind}-{_number(earlier[-1]) + 1 if earlier else 1}")


def is_stranger(name: str) -> bool:
    """Say whether a file put aside was one found in the outbox's place: its row numbers are no numbers of ours."""
    return f".{STRANGER}-" in name


def remove_aside(path: Path, *, bytes_max: int, waiting: Collection[str]) -> None:
    """Keep SET_ASIDE_MAX files put aside, within the bytes (the newest always); but none that is waited for goes."""
    kept = files_aside(path)
    done_with = [file for file in kept[:-1] if file.name not in waiting]
    with suppress(OSError):  # another time, then
        while done_with and (len(kept) > SET_ASIDE_MAX or sum(map(_bytes, kept)) > bytes_max):
            kept.remove(done_with[0])
            remove(done_with.pop(0))


def files_aside(path: Path, *kinds: str) -> list[Path]:
    """Name the files kept beside an outbox, of some kinds or of all, the oldest first."""
    found = (path.parent.glob(f"{path.name}.{kind}-*[0-9]") for kind in kinds or (BROKEN, STRANGER))
    return sorted(chain.from_iterable(found), key=_number)


def set_aside_count(path: Path) -> int:
    """Count the broken files kept beside an outbox; none where the disk does not let us look."""
    try:
        return len(files_aside(path))
    except OSError:
        return 0


def rename_whole(path: Path, aside: Path) -> None:
    """Rename a file and what lies beside it, all or nothing: without its log it would be another, and look sound."""
    renamed: list[str] = []
    try:
        for suffix in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                beside(path, suffix).rename(beside(aside, suffix))
                renamed.append(suffix)
    except OSError:
        for suffix in renamed:
            with suppress(OSError):
                beside(aside, suffix).rename(beside(path, suffix))
        raise


def _number(aside: Path) -> int:
    return int(aside.name.rpartition("-")[2])


def _bytes(aside: Path) -> int:
    return sum(beside(aside, s).stat().st_size for s in ("", "-wal") if beside(aside, s).exists())
