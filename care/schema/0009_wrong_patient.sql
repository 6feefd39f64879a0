-- A device that was on somebody else than who was said to wear it: who corrected that, for which time, and why.
-- hearthwatch: always

-- Append only. What was measured meanwhile is moved by ingest, and both patients are judged again by alerting
-- (docs/wrong-patient.md). NULL: nobody, the person is no patient.
CREATE TABLE binding_correction (
    correction_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id       integer NOT NULL REFERENCES device,
    from_patient_id integer REFERENCES patient (patient_id),
    to_patient_id   integer REFERENCES patient (patient_id),
    since           timestamptz NOT NULL CHECK (isfinite(since)),
    until           timestamptz CHECK (isfinite(until)),   -- NULL: it still is so
    reason          text NOT NULL CHECK (reason <> ''),
    person_id       integer NOT NULL REFERENCES person,
    at              timestamptz NOT NULL,
    CHECK (from_patient_id IS DISTINCT FROM to_patient_id),
    CHECK (since < COALESCE(until, at) AND COALESCE(until, at) <= at)
);
CREATE INDEX binding_correction_of_device ON binding_correction (device_id, correction_id DESC);
CREATE INDEX binding_correction_from ON binding_correction (from_patient_id, correction_id DESC);
CREATE INDEX binding_correction_to ON binding_correction (to_patient_id, correction_id DESC);
CREATE TRIGGER binding_correction_is_history BEFORE UPDATE OR DELETE ON binding_correction
    FOR EACH ROW EXECUTE FUNCTION ends_once();

CREATE VIEW care_binding_correction AS
    SELECT c.correction_id, c.device_id, d.key AS device_key, d.kind, c.from_patient_id, f.key AS from_key,
           c.to_patient_id, t.key AS to_key, c.since, c.until, c.reason, c.person_id, p.name AS person_name,
           p.name_en AS person_name_en, c.at
      FROM binding_correction c JOIN device d USING (device_id) JOIN person p USING (person_id)
      LEFT JOIN patient f ON f.patient_id = c.from_patient_id LEFT JOIN patient t ON t.patient_id = c.to_patient_id;
