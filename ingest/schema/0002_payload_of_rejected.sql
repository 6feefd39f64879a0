-- What lies in rejected.payload, so that it can be read again once the cause is mended.
-- hearthwatch: always

COMMENT ON COLUMN rejected.payload IS
    'A message that could not be read, or was refused whole: as it came (at most 256 KiB of it). Single readings: '
    '24-byte rows, little endian: row_no i8, measured_ms i8, value i2, signal u1, quality u1, reason u1, '
    'acquisition u1, 2 bytes of padding (ingest/refusals.py).';
COMMENT ON COLUMN rejected.readings IS
    'How many readings it stands for; 0 where the payload can not say.';

-- Browsing by reason.
CREATE INDEX rejected_by_reason ON rejected (reason, received_at DESC);
