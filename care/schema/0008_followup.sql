-- Follow-up at home: who is contacted how often and by when, every contact, what was decided on warning signs, tasks of
-- helpers. Read-outs in a contact are words: no reading is made of them.
-- hearthwatch: always

CREATE TABLE follow_up (
    follow_up_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id   integer NOT NULL REFERENCES patient,
    opened_at    timestamptz NOT NULL,
    cadence      text NOT NULL CHECK (cadence IN ('twice_a_day', 'daily', 'every_2_days', 'every_3_days')),
    due_at       timestamptz NOT NULL,
    anchor       timestamptz NOT NULL,                       -- the last contact that reached somebody, or the opening
    tries        smallint NOT NULL DEFAULT 0 CHECK (tries >= 0),
    ended_at     timestamptz,
    ended_as     text CHECK (ended_as IN ('recovered', 'admitted', 'died', 'moved', 'refused')),
    CHECK ((ended_at IS NULL) = (ended_as IS NULL))
);
CREATE UNIQUE INDEX follow_up_open ON follow_up (patient_id) WHERE ended_at IS NULL;
CREATE INDEX follow_up_due ON follow_up (due_at) WHERE ended_at IS NULL;

-- Append only: who opened, changed, ended it, and why.
CREATE TABLE follow_up_act (
    act_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    follow_up_id bigint NOT NULL REFERENCES follow_up,
    at           timestamptz NOT NULL,
    person_id    integer NOT NULL REFERENCES person,
    kind         text NOT NULL CHECK (kind IN ('opened', 'cadence', 'ended')),
    said         text NOT NULL,                              -- the cadence, or as what it ended
    why          text NOT NULL
);
CREATE INDEX follow_up_act_of ON follow_up_act (follow_up_id, act_id);

-- Append only: every contact and every attempt. signs: {"breathless": "yes", ...}; what was not asked is not there.
CREATE TABLE follow_up_contact (
    contact_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    follow_up_id bigint NOT NULL REFERENCES follow_up,
    at           timestamptz NOT NULL,
    person_id    integer NOT NULL REFERENCES person,
    way          text NOT NULL CHECK (way IN ('phone', 'video', 'visit', 'report')),
    reached      boolean NOT NULL,
    signs        jsonb NOT NULL,
    has_warning  boolean NOT NULL,
    temperature  text NOT NULL,                              -- as read out, words
    spo2         text NOT NULL,                              -- as read out, words
    antigen      text CHECK (antigen IN ('positive', 'negative', 'invalid')),
    antigen_at   timestamptz CHECK (antigen_at IS NULL OR antigen IS NOT NULL),
    note         text NOT NULL,
    due_at       timestamptz NOT NULL                        -- when it was due
);
CREATE INDEX follow_up_contact_of ON follow_up_contact (follow_up_id, contact_id DESC);

-- Append only: what somebody decided on a contact's warning signs. Without a line here a decision is awaited.
CREATE TABLE follow_up_decision (
    contact_id bigint PRIMARY KEY REFERENCES follow_up_contact,
    at         timestamptz NOT NULL,
    person_id  integer NOT NULL REFERENCES person,
    decision   text NOT NULL CHECK (decision IN ('alarm', 'no_alarm')),
    note       text NOT NULL
);

-- Grid workers and volunteers: they see their tasks and nothing else.
ALTER TABLE person
    DROP CONSTRAINT person_role_check,
    ADD CONSTRAINT person_role_check CHECK (role IN
        ('family_doctor', 'duty', 'county_expert', 'operations', 'nurse', 'technician', 'coordinator', 'admin',
         'referral_desk', 'dispatcher', 'authority', 'helper'));

CREATE TABLE helper_task (
    task_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id      integer NOT NULL REFERENCES patient,
    what            text NOT NULL CHECK (what IN ('deliver_antigen', 'deliver_medicine', 'bring_device',
                                                  'fetch_device', 'visit', 'measure', 'other')),
    organisation_id integer NOT NULL REFERENCES organisation, -- whose people do it
    person_id       integer REFERENCES person,                -- NULL: any of them
    note            text NOT NULL,
    unreached       boolean NOT NULL DEFAULT false,           -- made because nobody was reached
    made_at         timestamptz NOT NULL,
    due_at          timestamptz NOT NULL,
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'cannot'))
);
CREATE INDEX helper_task_due ON helper_task (due_at) WHERE state = 'open';
CREATE INDEX helper_task_of ON helper_task (patient_id, task_id DESC);

-- Append only.
CREATE TABLE helper_task_act (
    act_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id   bigint NOT NULL REFERENCES helper_task,
    at        timestamptz NOT NULL,
    person_id integer NOT NULL REFERENCES person,
    kind      text NOT NULL CHECK (kind IN ('made', 'done', 'cannot')),
    note      text NOT NULL
);
CREATE INDEX helper_task_act_of ON helper_task_act (task_id, act_id);

CREATE FUNCTION follow_up_is_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is history: lines are added, never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER is_history BEFORE UPDATE OR DELETE ON follow_up_act
    FOR EACH ROW EXECUTE FUNCTION follow_up_is_history();
CREATE TRIGGER is_history BEFORE UPDATE OR DELETE ON follow_up_contact
    FOR EACH ROW EXECUTE FUNCTION follow_up_is_history();
CREATE TRIGGER is_history BEFORE UPDATE OR DELETE ON follow_up_decision
    FOR EACH ROW EXECUTE FUNCTION follow_up_is_history();
CREATE TRIGGER is_history BEFORE UPDATE OR DELETE ON helper_task_act
    FOR EACH ROW EXECUTE FUNCTION follow_up_is_history();

-- Published to other rooms. The newest antigen result is that of the test that was taken last.
CREATE VIEW care_follow_up AS
    SELECT f.follow_up_id, f.patient_id, p.organisation_id, p.time_zone, f.opened_at, f.cadence, f.due_at, f.anchor, f.tries,
           f.ended_at, f.ended_as, (SELECT a.why FROM follow_up_act a
                                     WHERE a.follow_up_id = f.follow_up_id AND a.kind <> 'ended'
                                     ORDER BY a.act_id DESC LIMIT 1) AS why
      FROM follow_up f JOIN care_patient p USING (patient_id);

CREATE VIEW care_follow_up_act AS
    SELECT a.act_id, a.follow_up_id, a.at, a.kind, a.said, a.why, p.name AS person_name, p.name_en AS person_name_en
      FROM follow_up_act a JOIN person p USING (person_id);

CREATE VIEW care_follow_up_contact AS
    SELECT c.contact_id, c.follow_up_id, f.patient_id, c.at, c.person_id, p.name AS person_name,
           p.name_en AS person_name_en, c.way, c.reached, c.signs, c.has_warning, c.temperature, c.spo2, c.antigen,
           c.antigen_at, c.note, d.decision, d.note AS decision_note, d.at AS decided_at
      FROM follow_up_contact c JOIN follow_up f USING (follow_up_id) JOIN person p USING (person_id)
      LEFT JOIN follow_up_decision d USING (contact_id);

CREATE VIEW care_helper_task AS
    SELECT t.task_id, t.patient_id, p.organisation_id AS patient_organisation_id, p.time_zone, t.what, t.note,
           t.organisation_id, o.name AS organisation_name, o.name_en AS organisation_name_en, t.person_id,
           w.name AS person_name, w.name_en AS person_name_en, t.unreached, t.made_at, t.due_at, t.state,
           n.at AS said_at, n.note AS said_note
      FROM helper_task t JOIN care_patient p USING (patient_id)
      JOIN organisation o ON o.organisation_id = t.organisation_id LEFT JOIN person w ON w.person_id = t.person_id
      LEFT JOIN LATERAL (SELECT a.at, a.note FROM helper_task_act a
                          WHERE a.task_id = t.task_id AND a.kind <> 'made' ORDER BY a.act_id DESC LIMIT 1) n ON true;
