-- Until when what was measured singly says no more of a rule: a continuous device has said since that it is over.
-- hearthwatch: always

CREATE TABLE spot_over (
    patient_id integer NOT NULL,
    rule       text NOT NULL,
    at         timestamptz NOT NULL,         -- event time; what was measured up to then confirms nothing any more
    PRIMARY KEY (patient_id, rule)
);
