-- What the clock of a batch's writer said; `received_at` never falls within a partition, so after an hour in which a
-- clock was ahead it stays there until that time has come. NULL: written before this column was.
-- hearthwatch: always

ALTER TABLE intake_log ADD COLUMN said_at timestamptz;
