"""The outbox file's tables and statements (SQLite; the file's format version is its user_version)."""

from gateway.outbox.thinning import STAGES, Stage, codes
from vitals.reading import Acquisition
from vitals.signals import Signal

APPLICATION_ID = 1213681474
FORMAT = 2
PAGE_BYTES = 1024
"""Small pages: a commit writes whole pages, and most commits hold a handful of readings (docs/outbox.md)."""

_GUARD = """(
    row_no + 3 * source + 5 * wall_ms + 7 * mono_ms + 11 * signal + 13 * coalesce(value, -40000)
    + 17 * quality + 19 * reason + 23 * spare
) % 65521 - 32768"""

# Row numbers come from the gateway, not from AUTOINCREMENT, whose own table would cost a page at each commit.
# auto_vacuum stays off: thinned pages are used again, the file never grows past its bound.
SCHEMA = f"""
BEGIN EXCLUSIVE;
CREATE TABLE outbox (id TEXT NOT NULL) STRICT;
CREATE TABLE source (
    source       INTEGER PRIMARY KEY,
    device       TEXT    NOT NULL,
    acquisition  INTEGER NOT NULL,
    boot_id      INTEGER NOT NULL,
    synchronised INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX source_again ON source (device, acquisition, boot_id, synchronised);
CREATE TABLE boot (first_row INTEGER PRIMARY KEY, boot_id INTEGER NOT NULL) STRICT;
CREATE TABLE reading (
    row_no  INTEGER PRIMARY KEY,
    source  INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    mono_ms INTEGER NOT NULL,
    signal  INTEGER NOT NULL,
    value   INTEGER,
    quality INTEGER NOT NULL,
    reason  INTEGER NOT NULL,
    spare   INTEGER NOT NULL,
    guard   INTEGER NOT NULL GENERATED ALWAYS AS ({_GUARD}) STORED
) STRICT;
CREATE VIEW checked AS SELECT *, guard = {_GUARD} AS is_sound FROM reading;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE evidence (
    device TEXT NOT NULL, first_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, PRIMARY KEY (device, first_ms)
) STRICT, WITHOUT ROWID;
CREATE TABLE thinning (stage TEXT PRIMARY KEY, next_row INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE thinned (first INTEGER PRIMARY KEY, end INTEGER NOT NULL, rows INTEGER NOT NULL) STRICT;
CREATE TABLE memory (id INTEGER PRIMARY KEY, device TEXT NOT NULL, digest INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX memory_digest ON memory (device, digest);
CREATE TABLE salvage (file TEXT NOT NULL, next_row INTEGER NOT NULL, end_row INTEGER NOT NULL) STRICT;
CREATE TABLE undecoded (
    id             INTEGER PRIMARY KEY,
    wall_ms        INTEGER NOT NULL,
    device         TEXT    NOT NULL,
    characteristic TEXT    NOT NULL,
    payload        BLOB    NOT NULL,
    error          TEXT    NOT NULL
) STRICT;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""  # noqa: S608 - the guard is a constant of this file

INSERT_READING = """
INSERT INTO reading (row_no, source, wall_ms, mono_ms, signal, value, quality, reason, spare)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SELECT_READINGS = """
SELECT row_no, source, wall_ms, mono_ms, signal, value, quality, reason, is_sound
FROM checked WHERE row_no >= ? AND row_no < ? ORDER BY row_no LIMIT ?
"""
SELECT_SOUND = """
SELECT row_no, source, wall_ms, mono_ms, signal, value, quality, reason, spare
FROM checked WHERE row_no >= ? AND row_no < ? AND is_sound ORDER BY row_no LIMIT ?
"""
SELECT_UNSOUND = "SELECT row_no FROM checked WHERE NOT is_sound LIMIT 1"
DELETE_READINGS = "DELETE FROM reading WHERE row_no >= ? AND row_no < ?"
SELECT_FIRST = "SELECT min(row_no) FROM reading"
SELECT_OLDEST = """
SELECT wall_ms, mono_ms, boot_id, synchronised FROM reading CROSS JOIN source USING (source)
WHERE acquisition <> ? ORDER BY row_no LIMIT 1
"""
SELECT_LAST = "SELECT max(row_no) FROM reading"
SELECT_DEPTH = "SELECT count(*) FROM reading"
SELECT_RECENT = "SELECT row_no, wall_ms FROM reading ORDER BY row_no DESC LIMIT ?"

INSERT_SOURCE = "INSERT INTO source (source, device, acquisition, boot_id, synchronised) VALUES (?, ?, ?, ?, ?)"
SELECT_SOURCES = "SELECT source, device, acquisition, boot_id, synchronised FROM source NOT INDEXED"
SELECT_SOURCES_AGAIN = """
SELECT source, device, acquisition, boot_id, synchronised FROM source INDEXED BY source_again
ORDER BY device, acquisition, boot_id, synchronised
"""

INSERT_BOOT = "INSERT OR REPLACE INTO boot (first_row, boot_id) VALUES (?, ?)"
SELECT_BOOTS = "SELECT first_row, boot_id FROM boot ORDER BY first_row"
SELECT_LAST_MONO = "SELECT mono_ms FROM reading WHERE row_no >= ? AND row_no < ? ORDER BY row_no DESC LIMIT 1"
SELECT_LAST_DATED = """
SELECT mono_ms, wall_ms FROM reading JOIN source USING (source)
WHERE row_no >= ? AND row_no < ? AND synchronised AND acquisition <> ? ORDER BY row_no DESC LIMIT 1
"""

COUNT = """
INSERT INTO counter (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value
"""
SET = "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
SELECT_COUNTERS = "SELECT name, value FROM counter"

SELECT_EVIDENCE = "SELECT device, first_ms, end_ms FROM evidence"
DELETE_EVIDENCE = "DELETE FROM evidence WHERE device = ? AND first_ms = ?"
INSERT_EVIDENCE = "INSERT INTO evidence (device, first_ms, end_ms) VALUES (?, ?, ?)"

SELECT_THINNING = "SELECT stage, next_row FROM thinning"
SET_THINNING = "INSERT OR REPLACE INTO thinning (stage, next_row) VALUES (?, ?)"
LOWER_THINNING = "UPDATE thinning SET next_row = min(next_row, ?)"
SELECT_CHUNK = """
SELECT min(row_no), max(row_no), count(*)
FROM (SELECT row_no FROM reading WHERE row_no >= ? AND row_no < ? ORDER BY row_no LIMIT ?)
"""
SELECT_THINNED = "SELECT first, end, rows FROM thinned ORDER BY first"
DELETE_THINNED = "DELETE FROM thinned"
INSERT_THINNED = "INSERT INTO thinned (first, end, rows) VALUES (?, ?, ?)"

SELECT_MEMORY = "SELECT 1 FROM memory WHERE device = ? AND digest = ?"
INSERT_MEMORY = "INSERT INTO memory (device, digest) VALUES (?, ?)"
TRIM_MEMORY = """
DELETE FROM memory WHERE device = ?1 AND id <= (
    SELECT id FROM memory WHERE device = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2
)
"""

SELECT_SALVAGE = "SELECT file, next_row, end_row FROM salvage ORDER BY end_row DESC"
INSERT_SALVAGE = "INSERT INTO salvage (file, next_row, end_row) VALUES (?, ?, ?)"
MOVE_SALVAGE = "UPDATE salvage SET next_row = ? WHERE file = ?"
END_SALVAGE = "DELETE FROM salvage WHERE file = ?"

INSERT_UNDECODED = """
INSERT INTO undecoded (wall_ms, device, characteristic, payload, error) VALUES (?, ?, ?, ?, ?)
"""
TRIM_UNDECODED = "DELETE FROM undecoded WHERE id <= (SELECT max(id) FROM undecoded) - ?"
SELECT_UNDECODED = """
SELECT wall_ms, device, characteristic, payload, error FROM undecoded ORDER BY id DESC LIMIT ?
"""

_IS_EVIDENCE = """EXISTS (
    SELECT 1 FROM evidence e WHERE e.device = s.device AND r.wall_ms >= e.first_ms AND r.wall_ms < e.end_ms
)"""


def _goes(stage: Stage) -> str:
    """Write a stage's rows as a condition on `reading r` and `source s`."""
    conditions = []
    if stage.signals != frozenset(Signal):
        conditions.append(f"r.signal IN ({', '.join(map(str, codes(stage.signals)))})")
    if stage.acquisitions != frozenset(Acquisition):
        conditions.append(f"s.acquisition IN ({', '.join(str(int(a)) for a in sorted(stage.acquisitions))})")
    if stage.only_spare:
        conditions.append("r.spare")
    if stage.spares_evidence:
        conditions.append(f"NOT {_IS_EVIDENCE}")
    return " AND ".join(conditions) or "1"


_SELECT_ALL = "SELECT r.row_no, source, r.wall_ms, r.mono_ms, r.signal, r.value, r.quality, r.reason, r.spare"
_IN_CHUNK = "FROM reading r JOIN source s USING (source) WHERE r.row_no >= ? AND r.row_no < ?"
COUNT_GOING = {stage.kind: f"SELECT count(*) {_IN_CHUNK} AND {_goes(stage)}" for stage in STAGES}
SELECT_STAYING = {stage.kind: f"{_SELECT_ALL} {_IN_CHUNK} AND NOT ({_goes(stage)}) ORDER BY row_no" for stage in STAGES}
