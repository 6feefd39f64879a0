-- The log also says what readings are judged by: a patient's limits, in order with the readings they hold for.
-- hearthwatch: always

-- readings: 24-byte rows (ingest/feed.py). limits: what alerting has put there for itself; other readers pass over it.
-- The constraint is not checked on batches that are there already, as the default has made them what they are.
ALTER TABLE intake_log ADD COLUMN kind text NOT NULL DEFAULT 'readings';
ALTER TABLE intake_log ADD CONSTRAINT intake_log_kind CHECK (kind IN ('readings', 'limits')) NOT VALID;
