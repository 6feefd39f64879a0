-- Technical alarms that are no patient's: a gateway, a device that nobody wears, the centre itself.
-- hearthwatch: always

-- An episode's subject is a patient (`subject` NULL), or is named: "gateway:<id>", "device:<key>",
-- "centre:<organisation>". It belongs to an organisation then, whose duty is told, and to a gateway where there is one.
ALTER TABLE episode
    ALTER COLUMN patient_id DROP NOT NULL,
    ADD COLUMN subject         text,
    ADD COLUMN organisation_id integer,
    ADD COLUMN gateway_id      text,
    ADD CHECK ((patient_id IS NULL) = (subject IS NOT NULL)),
    ADD CHECK (subject IS NULL OR (technical AND organisation_id IS NOT NULL));
CREATE UNIQUE INDEX episode_open_subject ON episode (subject, family) WHERE state <> 'closed';
CREATE INDEX episode_of_subject ON episode (subject, family, episode_id DESC);
CREATE INDEX episode_open_technical ON episode (family) WHERE technical AND state <> 'closed';

-- What is wrong now, whatever was done about its alarm: since when, so that a word that wavers is one fault, and a
-- person who closed the alarm is not asked again at once. `subject` as above, or "patient:<id>".
CREATE TABLE technical_fault (
    subject text NOT NULL,
    family  text NOT NULL,
    rule    text NOT NULL,
    since   timestamptz NOT NULL,
    PRIMARY KEY (subject, family)
);

-- When something that explains the silence of devices ended: from then on they have their whole limit again.
CREATE TABLE technical_ended (
    subject  text NOT NULL,
    family   text NOT NULL,
    since    timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    PRIMARY KEY (subject, family)
);

-- What the console and the wall show, of patients and of all else: published to dashboards. (e.* has grown.)
DROP VIEW open_episode;
CREATE VIEW open_episode AS
    SELECT e.episode_id, e.patient_id, e.family, e.technical, e.rule, e.priority, e.emergency, e.tier3, e.condition,
           e.state, e.step, e.service_tier, e.since, e.raised_at, e.detected_at, e.alarmed_at, e.due_at, e.raise_count,
           e.cleared_at, e.acknowledged_by, e.acknowledged_at, e.closed_by, e.closed_at, e.disposition, e.evidence,
           e.profile_hash, e.subject, e.gateway_id,
           CASE WHEN e.priority = 'high' AND e.emergency THEN 0 WHEN e.priority = 'high' THEN 1
                WHEN e.priority = 'medium' THEN 2 ELSE 3 END AS rank,
           p.key AS patient_key, p.name AS patient_name, p.initials, p.bed, p.risk_colour,
           p.service_tier AS patient_service_tier, o.organisation_id, o.name AS organisation_name,
           o.name_en AS organisation_name_en, p.family_doctor_id, p.family_doctor_name, p.family_doctor_name_en,
           o.time_zone
      FROM episode e LEFT JOIN care_patient p USING (patient_id)
      JOIN care_organisation o ON o.organisation_id = COALESCE(p.organisation_id, e.organisation_id)
     WHERE e.state <> 'closed';
