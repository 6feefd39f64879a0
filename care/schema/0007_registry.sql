-- The rest of the registry: status, contacts, consent, care teams, kits, devices that several people share.
-- hearthwatch: always

-- Histories: a line is never changed or deleted, but that it may end, once; the arguments are the columns that say so.
CREATE FUNCTION ends_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_NARGS > 0 AND to_jsonb(OLD) ->> TG_ARGV[0] IS NULL
       AND to_jsonb(NEW) ->> TG_ARGV[0] IS NOT NULL
       AND to_jsonb(NEW) - TG_ARGV[0:] = to_jsonb(OLD) - TG_ARGV[0:] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is history: %', TG_TABLE_NAME, to_jsonb(OLD) USING ERRCODE = 'restrict_violation';
END $$;

-- How a patient stands (care/status.py), newest line last; without a line he is active.
CREATE TABLE patient_status (
    status_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id integer NOT NULL REFERENCES patient,
    status     text NOT NULL CHECK (status IN ('active', 'away', 'admitted', 'discharged', 'dead')),
    at         timestamptz NOT NULL,       -- from when it holds
    until      timestamptz,                -- away: when he is back; NULL: nobody knows
    place      text NOT NULL DEFAULT '',   -- admitted: where
    reason     text NOT NULL CHECK (reason <> ''),
    person_id  integer NOT NULL REFERENCES person,
    entered_at timestamptz NOT NULL,
    CHECK (until IS NULL OR (status = 'away' AND until > at)),
    CHECK (status <> 'admitted' OR place <> '')
);
CREATE INDEX patient_status_of ON patient_status (patient_id, status_id DESC);
CREATE TRIGGER patient_status_is_history BEFORE UPDATE OR DELETE ON patient_status
    FOR EACH ROW EXECUTE FUNCTION ends_once();

-- Kin, neighbours, carers, in the order in which they are asked. Paging goes by patient.household_channels.
CREATE TABLE contact (
    contact_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id  integer NOT NULL REFERENCES patient,
    place       smallint NOT NULL CHECK (place BETWEEN 1 AND 20),
    name        text NOT NULL,
    relation    text NOT NULL CHECK (relation IN
        ('spouse', 'child', 'grandchild', 'parent', 'grandparent', 'sibling', 'neighbour', 'carer', 'other')),
    phone       text NOT NULL,
    channels    text[] NOT NULL DEFAULT '{}',
    may_be_told boolean NOT NULL,          -- the patient wants him to hear of his health
    lives_with  boolean NOT NULL,
    entered_by  integer REFERENCES person (person_id),   -- NULL: the registry file
    entered_at  timestamptz NOT NULL,
    ended_by    integer REFERENCES person (person_id),
    ended_at    timestamptz
);
CREATE UNIQUE INDEX contact_standing ON contact (patient_id, place) WHERE ended_at IS NULL;
CREATE TRIGGER contact_is_history BEFORE UPDATE OR DELETE ON contact
    FOR EACH ROW EXECUTE FUNCTION ends_once('ended_at', 'ended_by');

-- What somebody agreed to, and took back: the newest line for a purpose holds (PIPL 15, 28, 29).
CREATE TABLE consent (
    consent_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id  integer NOT NULL REFERENCES patient,
    purpose     text NOT NULL CHECK (purpose IN ('telemonitoring', 'hospital_sharing', 'telling_kin', 'research')),
    version     text NOT NULL CHECK (version <> ''),     -- of the text that was signed
    given       boolean NOT NULL,
    given_by    text NOT NULL CHECK (given_by IN ('patient', 'guardian')),
    guardian    text NOT NULL DEFAULT '',
    at          timestamptz NOT NULL,
    recorded_by integer REFERENCES person (person_id),   -- NULL: the registry file
    recorded_at timestamptz NOT NULL,
    CHECK (given_by <> 'guardian' OR guardian <> ''),
    UNIQUE (patient_id, purpose, at, given, version, given_by, guardian)
);
CREATE TRIGGER consent_is_history BEFORE UPDATE OR DELETE ON consent FOR EACH ROW EXECUTE FUNCTION ends_once();

-- Care teams, 1+1+1+N: a family doctor, a nurse, a village doctor, and helpers without an account.
CREATE TABLE team (
    team_id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key             text NOT NULL UNIQUE,
    name            text NOT NULL,
    organisation_id integer NOT NULL REFERENCES organisation
);
CREATE TABLE team_member (
    member_id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team_id     integer NOT NULL REFERENCES team,
    member_role text NOT NULL CHECK (member_role IN ('family_doctor', 'nurse', 'village_doctor', 'helper')),
    person_id   integer REFERENCES person,
    helper      text NOT NULL DEFAULT '',   -- name and phone of somebody who does not sign in
    joined_at   timestamptz NOT NULL,
    left_at     timestamptz,
    CHECK ((person_id IS NULL) = (member_role = 'helper')),
    CHECK ((helper <> '') = (member_role = 'helper'))
);
CREATE UNIQUE INDEX team_member_one ON team_member (team_id, member_role)
    WHERE left_at IS NULL AND member_role <> 'helper';
CREATE TRIGGER team_member_is_history BEFORE UPDATE OR DELETE ON team_member
    FOR EACH ROW EXECUTE FUNCTION ends_once('left_at');

CREATE TABLE team_patient (
    patient_id integer NOT NULL REFERENCES patient,
    team_id    integer NOT NULL REFERENCES team,
    since      timestamptz NOT NULL,
    until      timestamptz
);
CREATE UNIQUE INDEX team_patient_one ON team_patient (patient_id) WHERE until IS NULL;
CREATE TRIGGER team_patient_is_history BEFORE UPDATE OR DELETE ON team_patient
    FOR EACH ROW EXECUTE FUNCTION ends_once('until');

-- Boxes that are lent to homes: a gateway, perhaps, and devices.
CREATE TABLE kit (
    kit_id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key             text NOT NULL UNIQUE,
    organisation_id integer NOT NULL REFERENCES organisation,
    gateway_id      text UNIQUE REFERENCES gateway
);
CREATE TABLE kit_device (
    device_id integer PRIMARY KEY REFERENCES device,
    kit_id    integer NOT NULL REFERENCES kit
);
CREATE TABLE kit_loan (
    loan_id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kit_id      integer NOT NULL REFERENCES kit,
    patient_id  integer NOT NULL REFERENCES patient,
    lent_at     timestamptz NOT NULL,
    lent_by     integer NOT NULL REFERENCES person (person_id),
    returned_at timestamptz CHECK (returned_at >= lent_at),
    returned_by integer REFERENCES person (person_id),
    state       text CHECK (state IN ('complete', 'missing', 'to_clean')),
    missing     text NOT NULL DEFAULT '',
    CHECK ((returned_at IS NULL) = (state IS NULL)),
    CHECK (state IS DISTINCT FROM 'missing' OR missing <> '')
);
CREATE UNIQUE INDEX kit_loan_standing ON kit_loan (kit_id) WHERE returned_at IS NULL;
CREATE TRIGGER kit_loan_is_history BEFORE UPDATE OR DELETE ON kit_loan
    FOR EACH ROW EXECUTE FUNCTION ends_once('returned_at', 'returned_by', 'state', 'missing');

-- A device that the residents of a home share: who uses it is said for each measurement, for ten minutes (hazard 5).
ALTER TABLE device ADD COLUMN shared boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT device_shared_measures_singly CHECK (NOT shared OR expected_every_s IS NULL);

CREATE FUNCTION shared_device_is_lent_for_ten_minutes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT isempty(NEW.valid) AND (SELECT shared FROM device WHERE device_id = NEW.device_id)
       AND COALESCE(upper(NEW.valid), 'infinity') > COALESCE(lower(NEW.valid), '-infinity') + interval '10 minutes' THEN
        RAISE EXCEPTION 'device % is shared: it is bound for ten minutes at most, not %', NEW.device_id, NEW.valid
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER shared_device_is_lent_for_ten_minutes BEFORE INSERT ON binding
    FOR EACH ROW EXECUTE FUNCTION shared_device_is_lent_for_ten_minutes();

ALTER TABLE registry_act DROP CONSTRAINT registry_act_act_check,
    ADD CONSTRAINT registry_act_act_check CHECK (act ~ '^[a-z_]{1,32}$');

-- Published to other rooms.
-- How everybody stands now, since when, and who said so. Without a line: active.
CREATE VIEW care_patient_status AS
    SELECT p.patient_id, COALESCE(s.status, 'active') AS status, s.at AS since, s.until, COALESCE(s.place, '') AS place,
           COALESCE(s.reason, '') AS reason, s.person_id
      FROM patient p LEFT JOIN LATERAL (SELECT * FROM patient_status t WHERE t.patient_id = p.patient_id
                                         ORDER BY t.status_id DESC LIMIT 1) s ON true;

-- From when on a patient's devices are expected to be heard again, where somebody has said that they are not, or were
-- not: he is away or in hospital. Silence before it is nobody's alarm; a value that comes is judged as ever.
CREATE VIEW care_expected_from AS
    SELECT DISTINCT ON (patient_id) patient_id,
           CASE WHEN status = 'active' THEN at WHEN status = 'away' THEN COALESCE(until, 'infinity') ELSE 'infinity' END
               AS expected_from
      FROM patient_status ORDER BY patient_id, status_id DESC;

CREATE VIEW care_contact AS
    SELECT contact_id, patient_id, place, name, relation, phone, channels, may_be_told, lives_with, entered_by, entered_at
      FROM contact WHERE ended_at IS NULL;

-- What holds now for each purpose of which anybody has spoken.
CREATE VIEW care_consent AS
    SELECT DISTINCT ON (patient_id, purpose) patient_id, purpose, version, given, given_by, guardian, at, recorded_by,
           recorded_at
      FROM consent ORDER BY patient_id, purpose, at DESC, consent_id DESC;

-- Who is in a patient's team, and who was: `left_at` NULL, who is.
CREATE VIEW care_team_member AS
    SELECT t.team_id, t.key AS team_key, t.name AS team_name, m.member_role, m.person_id, p.name, p.name_en, m.helper,
           m.joined_at, m.left_at
      FROM team t JOIN team_member m USING (team_id) LEFT JOIN person p USING (person_id);

CREATE VIEW care_team_patient AS SELECT patient_id, team_id, since, until FROM team_patient;

-- Every kit with what is in it, and to whom it is lent now.
CREATE VIEW care_kit AS
    SELECT k.kit_id, k.key AS kit_key, k.organisation_id, k.gateway_id, l.loan_id, l.patient_id, l.lent_at, l.lent_by,
           ARRAY(SELECT d.key FROM kit_device c JOIN device d USING (device_id) WHERE c.kit_id = k.kit_id ORDER BY d.key)
               AS devices
      FROM kit k LEFT JOIN kit_loan l ON l.kit_id = k.kit_id AND l.returned_at IS NULL;

CREATE VIEW care_kit_loan AS
    SELECT l.loan_id, k.kit_id, k.key AS kit_key, l.patient_id, l.lent_at, l.lent_by, l.returned_at, l.returned_by, l.state,
           l.missing
      FROM kit_loan l JOIN kit k USING (kit_id);

CREATE VIEW care_shared_device AS
    SELECT d.device_id, d.key AS device_key, d.kind FROM device d WHERE d.shared;

-- How patients stood, every line ever written.
CREATE VIEW care_patient_status_history AS
    SELECT s.status_id, s.patient_id, s.status, s.at, s.until, s.place, s.reason, s.person_id, s.entered_at,
           p.name AS person_name, p.name_en AS person_name_en
      FROM patient_status s JOIN person p USING (person_id);
