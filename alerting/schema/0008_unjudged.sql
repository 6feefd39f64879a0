-- Whose readings could not be judged, so that one patient's trouble stops nobody else's judging and is not forgotten.
-- hearthwatch: always

-- A row stands from the first failure until judging this patient again from `since` has gone well. While it stands for
-- longer than the profile says, TECH-UNJUDGED is a high technical alarm.
CREATE TABLE unjudged (
    patient_id integer PRIMARY KEY,
    since      timestamptz NOT NULL,         -- the earliest reading that is not judged
    failed_at  timestamptz NOT NULL,         -- when it failed first
    tried_at   timestamptz NOT NULL,         -- when last
    failures   integer NOT NULL,
    error      text NOT NULL
);
COMMENT ON TABLE unjudged IS 'whose readings wait to be judged again, as judging them failed';
