-- Readings in `rejected` are judged again once their cause is gone (docs/rejected.md): what that needs to know of them.
-- hearthwatch: always

-- A row is marked, never removed: `readings` and `payload` are what is still refused, `lifted` what has left it (into
-- `sample`, or counted as repeated on its outbox's account). NULLs: put aside before this was kept.
ALTER TABLE rejected
    ADD COLUMN earliest_at    timestamptz,            -- of its readings, as mapped to real time
    ADD COLUMN latest_at      timestamptz,
    ADD COLUMN own_rows       int8multirange,         -- a message refused whole: the rows that it stands for
    ADD COLUMN judged_version bigint,                 -- of the registry by which it was judged last
    ADD COLUMN lifted         integer NOT NULL DEFAULT 0,
    ADD COLUMN lifted_at      timestamptz,            -- last
    ADD COLUMN lifted_by      text;

COMMENT ON COLUMN rejected.payload IS
    'A message that could not be read: as it came (at most 256 KiB of it). A message that the database refused: as it '
    'came, whole. Single readings: 24-byte rows, little endian: row_no i8, measured_ms i8, value i2, signal u1, '
    'quality u1, reason u1, acquisition u1, flags u2 (1: a synchronised clock, 2: moved back from the future; '
    'ingest/refusals.py).';

-- What waits for the registry: looked for whenever that has changed.
CREATE INDEX rejected_waiting ON rejected (rejected_id)
 WHERE readings > 0 AND reason IN ('unknown_gateway', 'unknown_device', 'unbound_device', 'ambiguous');
