-- Referrals: from the decision to the return home, each step with its clock; every refusal reported.
-- hearthwatch: always

-- One under way a patient, whatever he alarms for meanwhile.
CREATE TABLE referral (
    referral_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id    integer NOT NULL,
    episode_id    bigint NOT NULL REFERENCES episode,      -- what he was referred for
    priority      text NOT NULL CHECK (priority IN ('high', 'medium', 'low')),   -- whose clocks run
    picture       jsonb NOT NULL,                          -- what a person has said of him
    clause        text NOT NULL,                           -- which row of the decision table decided
    destination   text NOT NULL,
    ward          text NOT NULL,
    vehicle       text NOT NULL,
    needs         text[] NOT NULL,
    stage         text NOT NULL CHECK (stage IN
        ('offered', 'unplaced', 'accepted', 'in_transit', 'received', 'admitted', 'returning', 'ended')),
    facility_id   integer,                                 -- who is asked, or has him
    candidates    integer[] NOT NULL,                      -- who is asked next, in order
    passed_over   jsonb NOT NULL,                          -- who is not asked, and what it lacks
    chases        integer NOT NULL DEFAULT 0,
    due_at        timestamptz,
    note          text NOT NULL DEFAULT '',
    opened_by     integer NOT NULL,
    opened_at     timestamptz NOT NULL,
    offered_at    timestamptz,
    accepted_at   timestamptz,
    departed_at   timestamptz,
    arrived_at    timestamptz,
    admitted_at   timestamptz,
    discharged_at timestamptz,
    returned_at   timestamptz,
    ended_at      timestamptz,
    ended_as      text,                                    -- returned, died, withdrawn
    CHECK ((stage = 'ended') = (due_at IS NULL)),
    CHECK ((stage = 'ended') = (ended_as IS NOT NULL)),
    CHECK (stage IN ('unplaced', 'ended') OR facility_id IS NOT NULL)
);
CREATE UNIQUE INDEX referral_under_way ON referral (patient_id) WHERE stage <> 'ended';
CREATE INDEX referral_due ON referral (due_at) WHERE stage <> 'ended';
CREATE INDEX referral_of_episode ON referral (episode_id);

-- Append only. `key` makes a fired deadline happen once.
CREATE TABLE referral_event (
    event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    referral_id bigint NOT NULL REFERENCES referral,
    at          timestamptz NOT NULL,
    kind        text NOT NULL,                             -- an event of the table, or opened
    actor_id    integer,                                   -- NULL: the clock
    facility_id integer,                                   -- of whom it is said
    from_stage  text,
    to_stage    text NOT NULL,
    refusal     text,                                      -- why a hospital did not take him
    note        text NOT NULL DEFAULT '',
    key         text UNIQUE,
    CHECK (kind NOT IN ('reject') OR refusal IS NOT NULL)
);
CREATE INDEX referral_event_of ON referral_event (referral_id, event_id);

-- Until now "referred" was an end in itself: the county looks at these again.
UPDATE episode SET state = 't3_unack', step = 2, service_tier = 3, tier3 = true, due_at = now() WHERE state = 'referred';

ALTER TABLE notice
    DROP CONSTRAINT notice_audience_check,
    ADD CONSTRAINT notice_audience_check CHECK (audience IN
        ('family_doctor', 'household', 'township_duty', 'county_expert', 'operations', 'receiver', 'transport',
         'authority'));

-- Published to dashboards: the list that the health authority reads. No hospital may refuse; who did, is here.
CREATE VIEW refusal AS
    SELECT v.event_id, v.at, v.referral_id, v.facility_id, v.refusal, v.note, r.patient_id, r.clause
      FROM referral_event v JOIN referral r USING (referral_id) WHERE v.refusal IS NOT NULL;
