-- Signals derived from signals: respiratory rate from the intervals between beats (docs/derived-signals.md).
-- hearthwatch: always

-- One row a window: `rate` in hundredths of a breath a minute, NULL where none is available. `received_by`: which beats
-- it was taken from; beats that come later make it anew.
CREATE TABLE derived_respiration (
    patient_id  integer NOT NULL,
    device_id   integer NOT NULL,
    window_end  timestamptz NOT NULL,
    rate        smallint,
    quality     real NOT NULL CHECK (quality BETWEEN 0 AND 1),
    method      text NOT NULL,
    received_by timestamptz NOT NULL,
    PRIMARY KEY (patient_id, device_id, window_end)
);
