"""The outbox's account: what became of every reading ever accepted, as the file says it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from gateway.outbox import schema as sql
from gateway.outbox.disk import OutboxError, sound
from gateway.outbox.pace import hours_left
from gateway.outbox.room import thinned_counter, used_bytes
from gateway.outbox.thinning import Kind, Thinned
from vitals.reading import Acquisition

UNDECODED_BYTES_MAX = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecoded:
    """A notification that no decoder understands, kept for whoever asks later."""

    wall_ms: int
    device: str
    characteristic: str
    payload: bytes
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Oldest:
    """When the gateway received the oldest reading that waits; a device's own records, dated by it, are passed over."""

    wall_ms: int
    mono_ms: int
    boot_id: int
    synchronised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """accepted = stored + thinned + given_up + depth, at every instant, across every crash.

    `given_up`: rows of broken files that were removed before these could be moved over.

    `salvaged` of the accepted came out of files put aside; `to_salvage`: row numbers not looked at there yet;
    `repeated` records of a device's memory were passed over.
    `is_durable` is false while what comes in lies in the machine's memory only, as the disk refuses; `trouble`: why.
    `hours_left`: what comes in still fits for so long if nothing goes out, None while the rate is unknown or nil.
    """

    outbox_id: UUID
    accepted: int
    stored: int
    thinned: int
    given_up: int
    depth: int
    undecoded: int
    salvaged: int
    to_salvage: int
    repeated: int
    first_row: int | None
    end_row: int
    used_bytes: int
    bytes_max: int
    hours_left: float | None
    thinned_kinds: dict[str, int]
    thinned_rows: tuple[Thinned, ...]
    is_durable: bool = True
    trouble: str | None = None
    oldest: Oldest | None = None


def account_of(db: sqlite3.Connection, *, bytes_max: int, depth: int | None = None) -> Account:
    """Add up. Counting the rows takes as long as reading the file: `depth` is what the counters say, if not given."""
    with sound():
        return _account_of(db, bytes_max, depth)


def _account_of(db: sqlite3.Connection, bytes_max: int, depth: int | None) -> Account:
    counters: dict[str, int] = dict(db.execute(sql.SELECT_COUNTERS).fetchall())
    kinds = {kind.value: counters.get(thinned_counter(kind), 0) for kind in Kind}
    end_row = end_of(db, counters)
    accepted = end_row - 1 - counters.get("passed_over", 0)
    stored, thinned = counters.get("stored", 0), sum(kinds.values())
    given_up = counters.get("given_up", 0)
    depth = accepted - stored - thinned - given_up if depth is None else depth
    used = used_bytes(db)
    return Account(
        outbox_id=UUID(db.execute("SELECT id FROM outbox").fetchone()[0]),
        accepted=accepted,
        stored=stored,
        thinned=thinned,
        given_up=given_up,
        depth=depth,
        undecoded=counters.get("undecoded", 0),
        salvaged=counters.get("salvaged", 0),
        to_salvage=sum(max(0, end - next_row) for _, next_row, end in db.execute(sql.SELECT_SALVAGE)),
        repeated=counters.get("repeated", 0),
        first_row=db.execute(sql.SELECT_FIRST).fetchone()[0],
        end_row=end_row,
        used_bytes=used,
        bytes_max=bytes_max,
        hours_left=hours_left(
            used_bytes=used, bytes_max=bytes_max, depth=depth, rows_per_hour=counters.get("rows_per_hour")
        ),
        thinned_kinds={kind: count for kind, count in kinds.items() if count},
        thinned_rows=tuple(Thinned(*columns) for columns in db.execute(sql.SELECT_THINNED)),
        oldest=_oldest(db),
    )


def _oldest(db: sqlite3.Connection) -> Oldest | None:
    found = db.execute(sql.SELECT_OLDEST, (int(Acquisition.STORED),)).fetchone()
    if found is None:
        return None
    wall_ms, mono_ms, boot_id, synchronised = found
    return Oldest(wall_ms=wall_ms, mono_ms=mono_ms, boot_id=boot_id, synchronised=bool(synchronised))


def end_of(db: sqlite3.Connection, counters: dict[str, int]) -> int:
    """Give the number the next row gets: behind the last row, and behind those that were the last once."""
    last = db.execute(sql.SELECT_LAST).fetchone()[0]
    return max(counters.get("end_row", 1), 0 if last is None else last + 1)


def notes(db: sqlite3.Connection, *, limit: int) -> list[Undecoded]:
    """Give the newest undecodable notifications."""
    return [
        Undecoded(wall_ms=wall_ms, device=device, characteristic=characteristic, payload=payload, error=error)
        for wall_ms, device, characteristic, payload, error in db.execute(sql.SELECT_UNDECODED, (limit,))
    ]


def read_account(path: Path, *, bytes_max: int = 0) -> tuple[Account, list[Undecoded]]:
    """Read the account of an outbox that another process may be using, its rows counted. Raises OutboxError."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.execute("BEGIN")  # one state of the file for all that follows
            depth = int(db.execute(sql.SELECT_DEPTH).fetchone()[0])
            return account_of(db, bytes_max=bytes_max, depth=depth), notes(db, limit=20)
    except sqlite3.DatabaseError as exc:
        raise OutboxError(f"{path}: {exc}") from exc
