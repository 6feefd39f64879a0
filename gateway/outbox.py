"""The outbox: readings on disk from the moment they are accepted until ingest says that they are stored.

A file of SQLite in WAL mode with synchronous=FULL: `accept` returns after the commit's fsync, never before.
Bound: the used pages of the file stay within `bytes_max`; at the bound the oldest rows are thinned out, counted
and their numbers recorded, never a row of the batch just accepted. (The write-ahead log adds at most some MB.)
Account: accepted = stored + thinned + depth, at every instant, across every crash.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from gateway import outbox_schema as sql
from gateway.placing import Stamped
from gateway.rows import OutboxRow, RowRange, merged
from vitals.quality import Quality, Reason
from vitals.reading import Acquisition
from vitals.signals import SIGNAL_BY_CODE, SIGNALS

SET_ASIDE_MAX = 5
THIN_ROWS = 1000
UNDECODED_BYTES_MAX = 512
_WAL_BYTES_MAX = 4 * 1024 * 1024
_LOCK_S_MAX = 1.0


class OutboxError(Exception):
    """The outbox can not do what it is asked; the message names the file and SQLite's word."""


class OutboxBusy(OutboxError):
    """Another process has this outbox open."""


class OutboxFull(OutboxError):
    """The disk takes no more; nothing of the batch was accepted. It may be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecoded:
    """A notification that no decoder understands, kept for whoever asks later."""

    wall_ms: int
    device: str
    characteristic: str
    payload: bytes
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of every reading ever accepted, as the file says it."""

    outbox_id: UUID
    accepted: int
    stored: int
    thinned: int
    depth: int
    undecoded: int
    first_row: int | None
    end_row: int
    used_bytes: int
    bytes_max: int
    thinned_rows: tuple[RowRange, ...]


class Outbox:
    """One outbox file, owned by one process; not for two threads at a time."""

    def __init__(self, path: Path, *, bytes_max: int, undecoded_max: int) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._undecoded_max = undecoded_max
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path)
        self.set_aside: Path | None = None
        try:
            self._db = _opened(path)
        except sqlite3.DatabaseError as exc:
            if isinstance(exc, sqlite3.OperationalError):
                raise OutboxError(f"{path}: {exc}") from exc
            self.set_aside = _put_aside(path)
            self._db = _opened(path)
        self.outbox_id = UUID(self._db.execute("SELECT id FROM outbox").fetchone()[0])

    def accept(self, rows: Sequence[Stamped], undecoded: Sequence[Undecoded] = ()) -> RowRange | None:
        """Write readings and notes in one transaction and give their numbers; on return they are on the disk."""
        with self._transaction() as db:
            before = self._end()
            db.executemany(sql.INSERT_READING, [_columns(row) for row in rows])
            db.execute(sql.COUNT, (len(rows), "accepted"))
            db.executemany(sql.INSERT_UNDECODED, [_note(item) for item in undecoded])
            if undecoded:
                db.execute(sql.COUNT, (len(undecoded), "undecoded"))
                db.execute(sql.TRIM_UNDECODED, (self._undecoded_max,))
            self._thin(keep_from=before)
        return RowRange(before, before + len(rows)) if rows else None

    def stored(self, ranges: Iterable[RowRange]) -> int:
        """Forget rows that ingest has stored; say how many there were. Rows not here any more are passed over."""
        with self._transaction() as db:
            count = sum(db.execute(sql.DELETE_READINGS, (r.first, r.end)).rowcount for r in ranges)
            db.execute(sql.COUNT, (count, "stored"))
        return count

    def read(self, rows: RowRange, *, limit: int) -> list[OutboxRow]:
        """Give the rows of a range that are still here, oldest first."""
        return [_row(columns) for columns in self._db.execute(sql.SELECT_READINGS, (rows.first, rows.end, limit))]

    def undecoded(self, *, limit: int) -> list[Undecoded]:
        """Give the newest notes."""
        return _undecoded(self._db, limit)

    def account(self) -> Account:
        """Count up."""
        return _account(self._db, self._bytes_max)

    def close(self) -> None:
        """Close the file and let go of the lock."""
        self._db.close()
        os.close(self._lock)

    def _end(self) -> int:
        return int(self._db.execute(sql.SELECT_ENDS).fetchone()[1]) + 1

    def _thin(self, *, keep_from: int) -> None:
        while _used_bytes(self._db) > self._bytes_max:
            oldest = [number for (number,) in self._db.execute(sql.SELECT_OLDEST, (keep_from, THIN_ROWS))]
            if not oldest:
                return
            self._db.execute(sql.DELETE_READINGS, (oldest[0], oldest[-1] + 1))
            self._db.execute(sql.COUNT, (len(oldest), "thinned"))
            known = [RowRange(*pair) for pair in self._db.execute(sql.SELECT_THINNED)]
            self._db.execute(sql.DELETE_THINNED)
            numbers = merged([*known, *(RowRange(number, number + 1) for number in oldest)])
            self._db.executemany(sql.INSERT_THINNED, [(r.first, r.end) for r in numbers])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.OperationalError):  # SQLite may have rolled back by itself
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as exc:
            raise OutboxFull(f"{self._path}: {exc}") from exc
        except sqlite3.DatabaseError as exc:
            raise OutboxError(f"{self._path}: {exc}") from exc


def read_account(path: Path) -> tuple[Account, list[Undecoded]]:
    """Read the account of an outbox that another process may be using. Raises OutboxError."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            return _account(db, 0), _undecoded(db, 20)
    except sqlite3.DatabaseError as exc:
        raise OutboxError(f"{path}: {exc}") from exc


def _locked(path: Path) -> int:
    handle = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(handle)
        raise OutboxBusy(f"{path} is in use by another gateway process") from exc
    return handle


def _opened(path: Path) -> sqlite3.Connection:
    """Open and check a file, or make a new one. Raises sqlite3.DatabaseError on one that is not a sound outbox."""
    is_new = not path.exists() or path.stat().st_size == 0
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_LOCK_S_MAX)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_MAX}")
        if is_new or not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            _make(db, path)
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if verdict != "ok" or version != sql.FORMAT:
            raise sqlite3.DatabaseError(f"format {version}, check says {verdict}")
        db.execute(sql.SELECT_COUNTERS).fetchall()
    except BaseException:
        db.close()
        raise
    return db


def _make(db: sqlite3.Connection, path: Path) -> None:
    db.executescript(sql.SCHEMA)
    db.execute("INSERT INTO outbox VALUES (?)", (str(uuid4()),))
    db.execute("COMMIT")
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _put_aside(path: Path) -> Path:
    """Rename an unreadable file and its log, keeping at most SET_ASIDE_MAX of them: the oldest goes first."""
    earlier = sorted(path.parent.glob(f"{path.name}.unreadable-*[0-9]"), key=lambda p: int(p.name.rpartition("-")[2]))
    number = int(earlier[-1].name.rpartition("-")[2]) + 1 if earlier else 1
    for old in earlier[: max(0, len(earlier) + 1 - SET_ASIDE_MAX)]:
        for suffix in ("", "-wal", "-shm"):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    aside = path.with_name(f"{path.name}.unreadable-{number}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def set_aside_count(path: Path) -> int:
    """Count the unreadable files kept beside an outbox."""
    return len(list(path.parent.glob(f"{path.name}.unreadable-*[0-9]")))


def _columns(row: Stamped) -> tuple[str | int | None, ...]:
    reading = row.reading
    return (
        reading.device,
        int(reading.acquisition),
        SIGNALS[reading.signal].code,
        round(reading.measured_at.timestamp() * 1000),
        row.mono_ms,
        row.boot_id,
        int(row.synchronised),
        reading.value,
        int(reading.quality),
        int(reading.reason),
    )


def _row(columns: tuple[int, str, int, int, int, int, int, int, int | None, int, int]) -> OutboxRow:
    row_no, device, acquisition, signal, wall_ms, mono_ms, boot_id, synchronised, value, quality, reason = columns
    return OutboxRow(
        row_no=row_no,
        device=device,
        acquisition=Acquisition(acquisition),
        signal=SIGNAL_BY_CODE[signal],
        wall_ms=wall_ms,
        mono_ms=mono_ms,
        boot_id=boot_id,
        synchronised=bool(synchronised),
        value=value,
        quality=Quality(quality),
        reason=Reason(reason),
    )


def _note(item: Undecoded) -> tuple[int, str, str, bytes, str]:
    return item.wall_ms, item.device, item.characteristic, item.payload[:UNDECODED_BYTES_MAX], item.error


def _undecoded(db: sqlite3.Connection, limit: int) -> list[Undecoded]:
    return [
        Undecoded(wall_ms=wall_ms, device=device, characteristic=characteristic, payload=payload, error=error)
        for wall_ms, device, characteristic, payload, error in db.execute(sql.SELECT_UNDECODED, (limit,))
    ]


def _used_bytes(db: sqlite3.Connection) -> int:
    pages, free, page_bytes = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_bytes


def _account(db: sqlite3.Connection, bytes_max: int) -> Account:
    counters: dict[str, int] = dict(db.execute(sql.SELECT_COUNTERS).fetchall())
    first, last = db.execute(sql.SELECT_ENDS).fetchone()
    return Account(
        outbox_id=UUID(db.execute("SELECT id FROM outbox").fetchone()[0]),
        accepted=counters["accepted"],
        stored=counters["stored"],
        thinned=counters["thinned"],
        depth=int(db.execute(sql.SELECT_DEPTH).fetchone()[0]),
        undecoded=counters["undecoded"],
        first_row=first,
        end_row=last + 1,
        used_bytes=_used_bytes(db),
        bytes_max=bytes_max,
        thinned_rows=tuple(RowRange(*pair) for pair in db.execute(sql.SELECT_THINNED)),
    )
