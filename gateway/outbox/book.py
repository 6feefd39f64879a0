"""An open outbox file and what is known of it: rows in, rows out, numbers, sources, evidence, digests.

Everything that writes runs within the caller's transaction; after one that failed the book is wrong: open another.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any
from uuid import UUID

from gateway.clocks.placing import Stamped
from gateway.outbox import schema as sql
from gateway.outbox.account import UNDECODED_BYTES_MAX, Undecoded, end_of
from gateway.outbox.disk import Damaged, sound
from gateway.outbox.evidence import AROUND_MS, Evidence, Span
from gateway.outbox.floor import Floor
from gateway.outbox.pace import Pace
from gateway.outbox.room import Spared, make_room, note_thinned
from gateway.outbox.rows import Excerpt, Record, Row, RowRange, Source
from gateway.outbox.thinning import Kind, Thinned
from vitals.quality import Quality
from vitals.signals import SIGNALS

BOOT_GAP = 100_000
"""Row numbers passed over at a new boot: a disk that lies about fsync forgets rows at a power cut that ingest may have
seen, and their numbers must not be given again."""

RECORDS_MAX = 2_000
"""Records remembered of each device's memory; an older one is accepted again, and filtered by ingest."""

_RECENT_ROWS = 50_000

Kept = tuple[int, int, int, int, int, int | None, int, int, int]
"""A row with its `spare`, as it is written."""


class Book:
    """One open file."""

    def __init__(self, db: sqlite3.Connection, *, floor: Floor | None, now_s: float) -> None:
        """Read what must be known. Raises sqlite3.Error."""
        self.db = db
        self._floor = floor
        with sound():
            self._read_known(now_s)

    def _read_known(self, now_s: float) -> None:
        db = self.db
        counters: dict[str, int] = dict(db.execute(sql.SELECT_COUNTERS).fetchall())
        self.outbox_id = UUID(db.execute("SELECT id FROM outbox").fetchone()[0])
        self.end = end_of(db, counters)
        self.sources = {
            key: Source(device=device, acquisition=acquisition, boot_id=boot_id, synchronised=bool(synchronised))
            for key, device, acquisition, boot_id, synchronised in db.execute(sql.SELECT_SOURCES)
        }
        self.evidence = Evidence(Span(*columns) for columns in db.execute(sql.SELECT_EVIDENCE))
        self.is_salvaging = db.execute(sql.SELECT_SALVAGE).fetchone() is not None
        boots = db.execute(sql.SELECT_BOOTS).fetchall()
        self._boot_id = boots[-1][1] if boots else None
        self._passed_over = counters.get("passed_over", 0)
        self._keys = {_key(source): key for key, source in self.sources.items()}
        self._is_spare: dict[tuple[int, int], int] = {}
        self._newest_ms = 0
        self._pace = Pace(
            now_s=now_s, newest_from=_newest_from(db, self.end), end_row=self.end, accepted=self._accepted
        )

    def write(self, rows: Sequence[Stamped]) -> RowRange | None:
        """Insert readings under the next numbers, and give those."""
        if not rows:
            return None
        self._begin_boot(rows[0].boot_id)
        first = self.end
        self.db.executemany(sql.INSERT_READING, [self._columns(number, row) for number, row in enumerate(rows, first)])
        self.end = first + len(rows)
        self._newest_ms = max(map(_wall_ms, rows))
        for row in rows:
            self._note_low(row)
        return RowRange(first, self.end)

    def new_records(self, records: Iterable[Record]) -> list[Record]:
        """Remember records of a device's memory, and give those not seen before; count the others."""
        new = []
        repeated = 0
        for record in records:
            key = (record.device, _digest(record.payload))
            if self.db.execute(sql.SELECT_MEMORY, key).fetchone():
                repeated += 1
                continue
            self.db.execute(sql.INSERT_MEMORY, key)
            new.append(record)
        for device in {record.device for record in new}:
            self.db.execute(sql.TRIM_MEMORY, (device, RECORDS_MAX))
        if repeated:
            self.db.execute(sql.COUNT, ("repeated", repeated))
        return new

    def keep(self, undecoded: Sequence[Undecoded], *, at_most: int) -> None:
        """Keep notifications that nobody understands, the newest of them."""
        if not undecoded:
            return
        self.db.executemany(
            sql.INSERT_UNDECODED,
            [(u.wall_ms, u.device, u.characteristic, u.payload[:UNDECODED_BYTES_MAX], u.error) for u in undecoded],
        )
        self.db.execute(sql.COUNT, ("undecoded", len(undecoded)))
        self.db.execute(sql.TRIM_UNDECODED, (at_most,))

    def read(self, rows: RowRange, *, limit: int) -> Excerpt:
        """Give the rows of a range, oldest first. Raises Damaged where one is not what was accepted."""
        found = self.db.execute(sql.SELECT_READINGS, (rows.first, rows.end, limit)).fetchall()
        broken = next((row[0] for row in found if not row[-1] or row[1] not in self.sources), None)
        if broken is not None:
            raise Damaged(f"row {broken} is not what was accepted")
        return Excerpt(outbox_id=self.outbox_id, rows=found, sources=dict(self.sources))

    def give_up(self, rows: Iterable[Row]) -> None:
        """Delete rows that this version can not read; they are counted and recorded as thinned ones are."""
        for row in rows:
            self.db.execute(sql.DELETE_READINGS, (row[0], row[0] + 1))
            note_thinned(self.db, Kind.UNREADABLE, Thinned(row[0], row[0] + 1, 1))
        self.db.execute(sql.SET, ("end_row", self.end))

    def forget(self, ranges: Iterable[RowRange]) -> int:
        """Delete rows that are stored; say how many there were."""
        count = sum(self.db.execute(sql.DELETE_READINGS, (r.first, r.end)).rowcount for r in ranges)
        if count:
            self.db.execute(sql.COUNT, ("stored", count))
            self.db.execute(sql.SET, ("end_row", self.end))
            self._forget_evidence()
        return count

    def make_room(self, bytes_max: int, *, keep_from: int, now_s: float) -> None:
        """Thin what may be thinned until the file is within its bound; rows from `keep_from` on stay."""
        spared = Spared(newest_from=self._pace.newest_from(now_s), batch_from=keep_from)
        if make_room(self.db, bytes_max=bytes_max, spared=spared):
            self.db.execute(sql.SET, ("end_row", self.end))

    def note_pace(self, now_s: float) -> None:
        """Take note, once a minute, of how much has come, for the outlook and for what counts as new."""
        if self._pace.note(now_s=now_s, end_row=self.end, accepted=self._accepted):
            rate = self._pace.rows_per_hour(now_s=now_s, accepted=self._accepted)
            self.db.execute(sql.SET, ("rows_per_hour", rate or 0))

    def take_over(self, rows: Sequence[Kept]) -> None:
        """Insert rows of a broken file, their sources known here, under their old numbers, which were passed over."""
        if not rows:
            return
        self.db.executemany(sql.INSERT_READING, rows)
        self.db.execute(sql.COUNT, ("salvaged", len(rows)))
        self.db.execute(sql.COUNT, ("passed_over", -len(rows)))
        self._passed_over -= len(rows)
        self.db.execute(sql.LOWER_THINNING, (rows[0][0],))

    def take_in(self, rows: Sequence[Kept]) -> None:
        """Insert rows of a stranger, their sources known here, under the next numbers, each boot's apart."""
        for key, run in groupby(rows, key=lambda row: row[1]):
            self._begin_boot(self.sources[key].boot_id)
            renumbered = [(number, *row[1:]) for number, row in enumerate(run, self.end)]
            self.db.executemany(sql.INSERT_READING, renumbered)
            self.end += len(renumbered)
        if rows:
            self.db.execute(sql.COUNT, ("salvaged", len(rows)))

    def count(self, name: str) -> None:
        """Add one to a counter."""
        self.db.execute(sql.COUNT, (name, 1))

    def source_key(self, source: Source) -> int:
        """Give the key of a source, a new one if need be."""
        key = self._keys.get(_key(source))
        if key is None:
            key = max(self.sources, default=0) + 1
            self.db.execute(sql.INSERT_SOURCE, (key, *_key(source)))
            self._keys[_key(source)] = key
            self.sources[key] = source
        return key

    @property
    def _accepted(self) -> int:
        return self.end - 1 - self._passed_over

    def _begin_boot(self, boot_id: int) -> None:
        if boot_id == self._boot_id:
            return
        if self._boot_id is not None:
            self.db.execute(sql.COUNT, ("passed_over", BOOT_GAP))
            self._passed_over += BOOT_GAP
            self.end += BOOT_GAP
        self.db.execute(sql.INSERT_BOOT, (self.end, boot_id))
        self._boot_id = boot_id

    def _columns(self, number: int, row: Stamped) -> Kept:
        reading = row.reading
        key = self._keys.get((reading.device, int(reading.acquisition), row.boot_id, row.synchronised))
        if key is None:
            key = self.source_key(
                Source(
                    device=reading.device,
                    acquisition=int(reading.acquisition),
                    boot_id=row.boot_id,
                    synchronised=row.synchronised,
                )
            )
        code = SIGNALS[reading.signal].code
        spare = self._is_spare.get((key, code), 0)
        self._is_spare[key, code] = 1 - spare
        return (
            number,
            key,
            _wall_ms(row),
            row.mono_ms,
            code,
            reading.value,
            int(reading.quality),
            int(reading.reason),
            spare,
        )

    def _note_low(self, row: Stamped) -> None:
        reading = row.reading
        if not self._floor or not self._floor.is_breached(reading.signal, reading.value, Quality.GOOD):
            return
        change = self.evidence.low(reading.device, _wall_ms(row))
        if change:
            self.db.executemany(sql.DELETE_EVIDENCE, [(span.device, span.first_ms) for span in change.gone])
            self.db.execute(sql.INSERT_EVIDENCE, (change.new.device, change.new.first_ms, change.new.end_ms))

    def _forget_evidence(self) -> None:
        """Drop the spans that are over, once no row is left that could lie in them."""
        if not self.evidence.spans or self.db.execute(sql.SELECT_FIRST).fetchone()[0] is not None:
            return
        gone = self.evidence.past(self._newest_ms)
        self.db.executemany(sql.DELETE_EVIDENCE, [(span.device, span.first_ms) for span in gone])


def _newest_from(db: sqlite3.Connection, end: int) -> int:
    """Find the first row of the last ten minutes by the wall clock, as far as a look at the last rows tells."""
    recent = db.execute(sql.SELECT_RECENT, (_RECENT_ROWS,)).fetchall()
    if not recent:
        return end
    newest_ms = max(wall_ms for _, wall_ms in recent)
    return min(int(number) for number, wall_ms in recent if wall_ms > newest_ms - AROUND_MS)


def _wall_ms(row: Stamped) -> int:
    return round(row.reading.measured_at.timestamp() * 1000)


def _key(source: Source) -> tuple[Any, ...]:
    return source.device, source.acquisition, source.boot_id, source.synchronised


def _digest(payload: bytes) -> int:
    return int.from_bytes(blake2b(payload, digest_size=8).digest(), "little", signed=True)
