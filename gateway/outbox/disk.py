"""The outbox's file on the disk: owned by one process, opened and checked, made anew, put aside.

SQLite in WAL mode with synchronous=FULL. The log is filled to its full length with zeros at the start: writing into it
later changes no size, so an fsync costs the data and nothing of the file system's own; and there is room in it yet
when somebody else fills the disk.
"""

import errno
import fcntl
import os
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from gateway.outbox import schema as sql

CHECK_BYTES_MAX = 32 * 1024 * 1024
"""A file up to this size is checked whole when it is opened; of a larger one the damage is found when it is met."""

_CHECKPOINT_FRAMES = 3_000
_LOG_FRAMES = 4_000  # room for the transaction that comes on top of a checkpoint's worth
_LOG_FRAME_BYTES = 24 + sql.PAGE_BYTES
_LOG_HEAD_BYTES = 32
_LOG_BYTES = _LOG_HEAD_BYTES + _LOG_FRAMES * _LOG_FRAME_BYTES
_LOCK_S_MAX = 1.0
_DISK_SAYS_NO = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    }
)
REFUSALS = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EUCLEAN})
"""What a disk says that may take a file another time; any other word means that the path is wrong."""

_UNREADABLE = frozenset(
    {
        sqlite3.SQLITE_IOERR_READ,
        sqlite3.SQLITE_IOERR_SHORT_READ,
        sqlite3.SQLITE_IOERR_CORRUPTFS,
        sqlite3.SQLITE_IOERR_DATA,
    }
)


class OutboxError(Exception):
    """The outbox can not do what it is asked; the message names the file and SQLite's word."""


class OutboxBusy(OutboxError):
    """Another process has this outbox open."""


class OutboxFull(OutboxError):
    """The disk takes no more (full, read-only, failing); nothing of the batch was accepted. It may be tried again."""


class Damaged(sqlite3.DatabaseError):
    """The file can be opened but is no sound outbox; the message says what was found."""


FILE_TROUBLE = (sqlite3.DatabaseError, UnicodeDecodeError, OSError, MemoryError)
"""What work with a file may raise, be it the disk's or the file's fault (see `is_damage`), but not a bug of ours."""


def is_damage(error: Exception) -> bool:
    """Say whether an error means that the file is broken: else it is the disk that takes or gives nothing now."""
    if isinstance(error, OSError | MemoryError):  # SQLITE_NOMEM comes as a MemoryError
        return False
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code in _UNREADABLE or code & 0xFF not in _DISK_SAYS_NO


@contextmanager
def sound() -> Iterator[None]:
    """Call it damage when what lies in a file is not of the kind that was put there."""
    try:
        yield
    except (TypeError, ValueError, KeyError, IndexError) as exc:
        raise Damaged(f"holds what was never written: {exc!r}") from exc


def locked(path: Path) -> int:
    """Lock an outbox for this process; give the handle to close. Raises OutboxBusy, OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        handle = os.open(beside(path, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_locked(path, handle):
                return handle
        except BlockingIOError as exc:
            os.close(handle)
            raise OutboxBusy(f"{path} is in use by another gateway process") from exc
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # deleted meanwhile: the next one to come would lock another


def is_locked(path: Path, handle: int) -> bool:
    """Say whether a lock still keeps others out: they lock what lies in its place."""
    try:
        return os.path.samestat(os.fstat(handle), beside(path, ".lock").stat())
    except FileNotFoundError:
        return False


def opened(path: Path, begin: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """Open and check a file, or make a new one, `begin` being part of its making.

    Raises sqlite3.Error, Damaged among them; see `is_damage`.
    """
    is_new = not path.exists() or path.stat().st_size == 0
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_LOCK_S_MAX)
    try:
        db.execute(f"PRAGMA page_size = {sql.PAGE_BYTES}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_FRAMES}")
        db.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        if is_new or not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            _make(db, path, begin)
        _check(db, path)
    except BaseException:
        db.close()
        raise
    _fill_log(beside(path, "-wal"))
    return db


def remove(path: Path) -> None:
    """Delete a closed outbox file and what lies beside it."""
    for copy in ("", ".again", ".whole"):
        for suffix in ("", "-wal", "-shm", "-journal"):
            beside(path, copy + suffix).unlink(missing_ok=True)
    beside(path, ".lock").unlink(missing_ok=True)


def check_pages(db: sqlite3.Connection) -> None:
    """Read the whole file. Raises sqlite3.Error, as Damaged."""
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise Damaged(str(verdict))


def is_cut_short(log: Path, frames: int) -> bool:
    """Say whether the log breaks after the last page that SQLite believes, and sound commits lie behind: they are lost.

    SQLite passes over them in silence, and their row numbers would be given a second time. (A sound commit without a
    break before it is one that was under way when the gateway was killed, and nobody was told of it.) A commit torn by
    a power cut looks broken too where its last page was written first: that costs a new outbox id.
    """
    with log.open("rb") as file:
        head = file.read(_LOG_HEAD_BYTES)
        if len(head) < _LOG_HEAD_BYTES or not any(head):
            return False
        order = ">" if head[3] & 1 else "<"
        if head[24:] != _checksum(head[:24], order, (0, 0)):
            return True
        file.seek(_LOG_HEAD_BYTES + (frames - 1) * _LOG_FRAME_BYTES + 16 if frames else 24)
        before = struct.unpack(">2I", file.read(8))
        file.seek(_LOG_HEAD_BYTES + frames * _LOG_FRAME_BYTES)
        is_broken = False
        while len(frame := file.read(_LOG_FRAME_BYTES)) == _LOG_FRAME_BYTES:
            is_of_this_log = frame[8:16] == head[16:24]
            is_sound = is_of_this_log and frame[16:24] == _checksum(frame[:8] + frame[24:], order, before)
            if is_broken and is_sound and any(frame[4:8]):  # the size of the file stands in commits only
                return True
            is_broken = is_broken or not is_sound
            before = struct.unpack(">2I", frame[16:24])
    return False


def beside(path: Path, suffix: str) -> Path:
    """Name a file beside the outbox, as its log."""
    return path.with_name(path.name + suffix)


def _make(db: sqlite3.Connection, path: Path, begin: Callable[[sqlite3.Connection], None]) -> None:
    db.executescript(sql.SCHEMA)
    db.execute("INSERT INTO outbox VALUES (?)", (str(uuid4()),))
    begin(db)
    db.execute("COMMIT")
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check(db: sqlite3.Connection, path: Path) -> None:
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != sql.FORMAT:
        raise Damaged(f"format {version}, not {sql.FORMAT}")
    if path.stat().st_size <= CHECK_BYTES_MAX:
        check_pages(db)
    frames = _believed_frames(beside(path, "-shm"))
    if is_cut_short(beside(path, "-wal"), frames):
        raise Damaged(f"the log breaks off after {frames} pages, and goes on behind")


def _believed_frames(index: Path) -> int:
    """Read how many pages of the log SQLite believes (sqlite.org/walformat.html, section 2.1: mxFrame).

    Through SQLite's own handle: to open the file and close it again would drop this process's locks on it (fcntl(2)),
    and the next reader would take itself for the first, cut the index short and end this process with SIGBUS.
    """
    wanted = index.stat()
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the handle of the listing itself is gone
            if os.path.samestat(os.fstat(int(name)), wanted):
                return int(struct.unpack_from("=I", os.pread(int(name), 48, 0), 16)[0])
    raise Damaged(f"{index} is not the index that SQLite has open")


def _checksum(content: bytes, order: str, start: tuple[int, ...]) -> bytes:
    """Go on with the log's checksum (sqlite.org/fileformat2.html, section 4.2)."""
    one, two = start
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & 0xFFFFFFFF
        two = (two + odd + one) & 0xFFFFFFFF
    return struct.pack(">2I", one, two)


def _fill_log(log: Path) -> None:
    """Lengthen the log to its full size; where the disk has no room for that it grows as it is needed."""
    with suppress(OSError), log.open("r+b") as file:
        missing = _LOG_BYTES - file.seek(0, os.SEEK_END)
        if missing > 0:
            file.write(bytes(missing))
            file.flush()
            os.fsync(file.fileno())
            # Else the kernel keeps the zeros as one large piece, and counts (some file systems write) it all each time.
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
