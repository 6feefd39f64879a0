-- What an alarm of one cause holds, and silences that people set.
-- hearthwatch: always

-- Faults whose own alarms wait in the alarm of their common cause (alerting/technical/storms.py): `subject` as in
-- technical_fault, of a silent device "device:<key>". `left_at`: it was well, or its alarm is its own again.
CREATE TABLE storm_member (
    episode_id bigint NOT NULL REFERENCES episode,
    subject    text NOT NULL,
    family     text NOT NULL,
    patient_id integer,
    since      timestamptz NOT NULL,
    joined_at  timestamptz NOT NULL,
    left_at    timestamptz
);
CREATE UNIQUE INDEX storm_member_now ON storm_member (subject, family) WHERE left_at IS NULL;
CREATE INDEX storm_member_of ON storm_member (episode_id, subject);

-- A person's word that alarms of one rule, or ('') all technical ones, page nobody until an instant: of a patient, a
-- gateway, a device, or an organisation with all below it. `priority`: the most urgent that it holds back; never high.
-- `organisation_id`: whose it is. Append only: it is lifted once, and never changed or deleted.
CREATE TABLE alarm_silence (
    silence_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id      integer,
    gateway_id      text,
    device_key      text,
    organisation_id integer NOT NULL,
    technical       boolean NOT NULL,
    rule            text NOT NULL,
    priority        text NOT NULL CHECK (priority IN ('low', 'medium')),
    reason          text NOT NULL CHECK (reason <> ''),
    set_by          integer NOT NULL,
    set_at          timestamptz NOT NULL,
    since           timestamptz NOT NULL,
    until           timestamptz NOT NULL,
    lifted_by       integer,
    lifted_at       timestamptz,
    CHECK (until > since),
    CHECK (num_nonnulls(patient_id, gateway_id, device_key) <= 1),
    CHECK (technical OR (patient_id IS NOT NULL AND rule <> '')),
    CHECK ((lifted_by IS NULL) = (lifted_at IS NULL))
);
CREATE INDEX alarm_silence_in_force ON alarm_silence (until) WHERE lifted_at IS NULL;
CREATE INDEX alarm_silence_of_organisation ON alarm_silence (organisation_id, silence_id);

CREATE FUNCTION alarm_silence_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.lifted_at IS NULL
       AND (to_jsonb(NEW) - 'lifted_by' - 'lifted_at') = (to_jsonb(OLD) - 'lifted_by' - 'lifted_at') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'silence % is a record: it can be lifted once, not changed or deleted', OLD.silence_id;
END $$;
CREATE TRIGGER alarm_silence_stays BEFORE UPDATE OR DELETE ON alarm_silence
    FOR EACH ROW EXECUTE FUNCTION alarm_silence_stays();

-- Which open episode is held back by which silence at an instant: the one place where that is decided. What is high is
-- held back by none; nor is a case of tier 3; nor, by a silence that is not his own, the long silence of a patient who
-- is watched (tier 3, or an open physiological alarm); nor a physiological alarm of whose family another rule holds too.
CREATE FUNCTION silenced(at timestamptz) RETURNS TABLE (episode_id bigint, silence_id bigint)
    LANGUAGE sql STABLE AS $$
WITH said AS MATERIALIZED (
    SELECT * FROM alarm_silence WHERE lifted_at IS NULL AND since <= at AND until > at),
below AS MATERIALIZED (
    SELECT a.organisation_id, a.ancestor_id FROM care_organisation_ancestor a
     WHERE a.ancestor_id IN (SELECT organisation_id FROM said
                              WHERE num_nonnulls(patient_id, gateway_id, device_key) = 0))
SELECT DISTINCT ON (e.episode_id) e.episode_id, s.silence_id
  FROM said s
  JOIN episode e ON e.technical = s.technical AND (s.rule = '' OR e.rule = s.rule)
  LEFT JOIN care_patient p ON p.patient_id = e.patient_id
 WHERE e.state <> 'closed'
   AND NOT e.emergency AND (e.priority = 'low' OR (e.priority = 'medium' AND s.priority = 'medium'))
   AND CASE WHEN s.patient_id IS NOT NULL THEN e.patient_id = s.patient_id
            WHEN s.gateway_id IS NOT NULL THEN e.gateway_id = s.gateway_id
            WHEN s.device_key IS NOT NULL THEN
                e.subject = 'device:' || s.device_key
                OR (e.evidence ->> 'device' = s.device_key
                    AND COALESCE(e.evidence -> 'again' ->> 'device', s.device_key) = s.device_key)
            ELSE (COALESCE(p.organisation_id, e.organisation_id), s.organisation_id) IN (
                SELECT b.organisation_id, b.ancestor_id FROM below b) END
   AND CASE WHEN e.technical THEN NOT (
                e.rule = 'TECH-NODATA-LONG' AND s.patient_id IS NULL
                AND (p.service_tier = 3 OR EXISTS (
                    SELECT FROM episode o WHERE o.patient_id = e.patient_id AND NOT o.technical AND o.state <> 'closed')))
            ELSE NOT e.tier3 AND NOT EXISTS (
                SELECT FROM active_rule r WHERE r.patient_id = e.patient_id AND r.family = e.family AND r.rule <> e.rule)
            END
 ORDER BY e.episode_id, s.until DESC, s.silence_id
$$;

-- Episodes that page nobody now, by which silence, and since when. What leaves this table rings from the beginning.
CREATE TABLE episode_silence (
    episode_id bigint PRIMARY KEY REFERENCES episode,
    silence_id bigint NOT NULL REFERENCES alarm_silence,
    since      timestamptz NOT NULL
);
