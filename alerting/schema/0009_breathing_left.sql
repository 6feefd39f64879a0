-- Whose breathing is still to be derived: a long upload has more windows than one turn takes.
-- hearthwatch: always

CREATE TABLE breathing_left (
    patient_id integer PRIMARY KEY,
    since      timestamptz NOT NULL          -- windows that end from here on are looked at again
);
