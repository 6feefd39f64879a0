-- Single measurements: the sessions formed from clips that stream, and what households are to be asked.
-- hearthwatch: always

-- One stay of a finger in a clip, as one measurement (alerting/spot/sessions.py). A row is made anew from `sample` when
-- late samples change it. Only `stable` is a measurement; `unstable` asks for a repeat, `remainder` does not; `open`
-- goes on, or its end was not heard. Kept as long as alerting looks back.
CREATE TABLE spot_session (
    patient_id integer NOT NULL,
    device_id  integer NOT NULL,
    started_at timestamptz NOT NULL,
    at         timestamptz NOT NULL,         -- when it ended
    value      smallint NOT NULL,            -- SpO2, hundredths
    pulse      smallint,
    status     text NOT NULL CHECK (status IN ('stable', 'unstable', 'remainder', 'open')),
    PRIMARY KEY (patient_id, device_id, started_at)
);
CREATE INDEX spot_session_by_time ON spot_session (patient_id, at);

-- What somebody at home is to be asked to do.
CREATE TABLE prompt (
    patient_id integer NOT NULL,
    reason     text NOT NULL CHECK (reason IN ('repeat', 'worn_fever', 'fever_signs', 'data_gap')),
    rule       text NOT NULL,                -- the rule that asks; '' where none does
    at         timestamptz NOT NULL,         -- event time
    asked_at   timestamptz NOT NULL,         -- clinical time
    detail     jsonb NOT NULL,
    PRIMARY KEY (patient_id, reason, rule, at)
);
