"""The outbox file's tables and statements (SQLite; the file's format version is its user_version)."""

FORMAT = 1

# auto_vacuum stays off: thinned pages are reused, the file never grows past its bound.
SCHEMA = """
BEGIN EXCLUSIVE;
CREATE TABLE outbox (id TEXT NOT NULL) STRICT;
CREATE TABLE reading (
    row_no       INTEGER PRIMARY KEY AUTOINCREMENT,
    device       TEXT    NOT NULL,
    acquisition  INTEGER NOT NULL,
    signal       INTEGER NOT NULL,
    wall_ms      INTEGER NOT NULL,
    mono_ms      INTEGER NOT NULL,
    boot_id      INTEGER NOT NULL,
    synchronised INTEGER NOT NULL,
    value        INTEGER,
    quality      INTEGER NOT NULL,
    reason       INTEGER NOT NULL
) STRICT;
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE thinned (first INTEGER PRIMARY KEY, end INTEGER NOT NULL) STRICT;
CREATE TABLE undecoded (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    wall_ms        INTEGER NOT NULL,
    device         TEXT    NOT NULL,
    characteristic TEXT    NOT NULL,
    payload        BLOB    NOT NULL,
    error          TEXT    NOT NULL
) STRICT;
INSERT INTO counter VALUES ('accepted', 0), ('stored', 0), ('thinned', 0), ('undecoded', 0);
PRAGMA application_id = 1213681474;
PRAGMA user_version = 1;
"""

INSERT_READING = """
INSERT INTO reading (device, acquisition, signal, wall_ms, mono_ms, boot_id, synchronised, value, quality, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
SELECT_READINGS = """
SELECT row_no, device, acquisition, signal, wall_ms, mono_ms, boot_id, synchronised, value, quality, reason
FROM reading WHERE row_no >= ? AND row_no < ? ORDER BY row_no LIMIT ?
"""
DELETE_READINGS = "DELETE FROM reading WHERE row_no >= ? AND row_no < ?"
SELECT_OLDEST = "SELECT row_no FROM reading WHERE row_no < ? ORDER BY row_no LIMIT ?"
SELECT_ENDS = """
SELECT (SELECT min(row_no) FROM reading), (SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'reading')
"""
COUNT = "UPDATE counter SET value = value + ? WHERE name = ?"
SELECT_COUNTERS = "SELECT name, value FROM counter"
SELECT_DEPTH = "SELECT count(*) FROM reading"
SELECT_THINNED = "SELECT first, end FROM thinned ORDER BY first"
DELETE_THINNED = "DELETE FROM thinned"
INSERT_THINNED = "INSERT INTO thinned (first, end) VALUES (?, ?)"
INSERT_UNDECODED = """
INSERT INTO undecoded (wall_ms, device, characteristic, payload, error) VALUES (?, ?, ?, ?, ?)
"""
TRIM_UNDECODED = "DELETE FROM undecoded WHERE id <= (SELECT max(id) FROM undecoded) - ?"
SELECT_UNDECODED = """
SELECT wall_ms, device, characteristic, payload, error FROM undecoded ORDER BY id DESC LIMIT ?
"""
