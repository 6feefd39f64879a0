-- Samples that were measured on somebody else than who was said to wear the device: moved to whose they are.
-- hearthwatch: always

ALTER TABLE intake_log DROP CONSTRAINT intake_log_kind;
ALTER TABLE intake_log ADD CONSTRAINT intake_log_kind CHECK (kind IN ('readings', 'limits', 'moved')) NOT VALID;

-- How far each correction of care's is carried out. Newest samples first: all from `before` on is moved. A second look
-- takes what a batch was storing when the correction was said.
CREATE TABLE sample_move (
    correction_id bigint PRIMARY KEY,
    before        timestamptz NOT NULL,       -- infinity: not begun
    judged_from   timestamptz NOT NULL,       -- what is older is moved, and not judged
    samples       bigint NOT NULL DEFAULT 0,  -- moved
    aside         bigint NOT NULL DEFAULT 0,  -- of these, in sample_aside
    signals       smallint[] NOT NULL DEFAULT '{}', -- that were measured
    told_to       boolean NOT NULL DEFAULT false,  -- alerting knows of the right patient's, in this look
    told          bigint NOT NULL DEFAULT 0,  -- how many samples both patients' judges know of
    moved_at      timestamptz,                -- all that there was
    done_at       timestamptz                 -- and nothing more can come
);

-- What is nobody's of ours, or contradicts what its right patient has: kept as long as samples are, shown to nobody.
CREATE TABLE sample_aside (
    correction_id bigint NOT NULL,
    why           text NOT NULL CHECK (why IN ('nobody', 'conflict')),
    LIKE sample
);
CREATE INDEX sample_aside_of_device ON sample_aside (device_id, measured_at);

-- Published to other rooms.
CREATE VIEW sample_moved AS
    SELECT correction_id, judged_from, samples, aside, moved_at, done_at FROM sample_move;
