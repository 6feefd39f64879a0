-- Episodes and what is done about them; the engine's place in the log; notices to people.
-- hearthwatch: always

-- Every clinical profile that ever decided something, whole, by the hash of its bytes.
CREATE TABLE clinical_profile (
    profile_hash text PRIMARY KEY,
    name         text NOT NULL,
    body         text NOT NULL,
    loaded_at    timestamptz NOT NULL
);

-- How far each partition of the intake log has been judged; moves with the events, in one transaction.
CREATE TABLE engine_cursor (
    partition smallint PRIMARY KEY,
    batch_id  bigint NOT NULL DEFAULT 0,
    owner     text NOT NULL DEFAULT '',
    version   bigint NOT NULL DEFAULT 0      -- fencing: a writer that lost the partition updates no row
);
INSERT INTO engine_cursor (partition) SELECT generate_series(0, 31);

-- The arrays, now and then; older than the cursor by what the log replays. A hash that differs: rebuild.
CREATE TABLE engine_snapshot (
    partition   smallint PRIMARY KEY,
    batch_id    bigint NOT NULL,
    layout_hash text NOT NULL,
    rules_hash  text NOT NULL,
    taken_at    timestamptz NOT NULL,
    payload     bytea NOT NULL
);

-- Conditions that build up and wait for time or a repeat (CLINICAL 6.1 PENDING). Absence raises, never discards.
-- basis: sustained (a fall that may lose its signal), repeat (a second measurement is due), recheck (closed as a false
-- alarm while present).
CREATE TABLE pending (
    patient_id integer NOT NULL,
    rule       text NOT NULL,
    basis      text NOT NULL CHECK (basis IN ('sustained', 'repeat', 'recheck')),
    since      timestamptz NOT NULL,
    due_at     timestamptz NOT NULL,
    evidence   jsonb NOT NULL,
    PRIMARY KEY (patient_id, rule, basis)
);
CREATE INDEX pending_due ON pending (due_at);

-- Rules whose condition holds now: a family is cleared when its last row here is gone.
CREATE TABLE active_rule (
    patient_id integer NOT NULL,
    rule       text NOT NULL,
    basis      text NOT NULL CHECK (basis IN ('sustained', 'repeat', 'fever', 'silence')),
    family     text NOT NULL,
    since      timestamptz NOT NULL,
    PRIMARY KEY (patient_id, rule, basis)
);

CREATE TABLE episode (
    episode_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id      integer NOT NULL,
    family          text NOT NULL,           -- spo2_low, fever, no_data, ...: one open episode per patient and family
    technical       boolean NOT NULL,
    rule            text NOT NULL,           -- the rule of the present alarm
    priority        text NOT NULL CHECK (priority IN ('high', 'medium', 'low')),
    emergency       boolean NOT NULL,
    tier3           boolean NOT NULL,        -- a 2-to-3 trigger was met: a case is open
    condition       text NOT NULL CHECK (condition IN ('present', 'cleared', 'unknown')),
    state           text NOT NULL CHECK (state IN
        ('unack', 'ack', 't3_unack', 't3_ack', 'exhausted', 'monitor', 'referred', 'closed')),
    step            smallint NOT NULL,
    service_tier    smallint NOT NULL CHECK (service_tier IN (2, 3)),   -- whose turn it is
    since           timestamptz NOT NULL,    -- event time the condition began
    raised_at       timestamptz NOT NULL,    -- event time it was sustained
    detected_at     timestamptz NOT NULL,    -- clinical time the engine said so
    alarmed_at      timestamptz NOT NULL,    -- t0 of the present round of escalation
    due_at          timestamptz,             -- next deadline; NULL only when closed
    raise_count     integer NOT NULL DEFAULT 1,
    cleared_at      timestamptz,
    acknowledged_by integer, acknowledged_at timestamptz,
    closed_by       integer, closed_at timestamptz,
    disposition     text,
    evidence        jsonb NOT NULL,
    profile_hash    text NOT NULL REFERENCES clinical_profile,
    CHECK ((state = 'closed') = (due_at IS NULL)),
    CHECK (state <> 'closed' OR closed_by IS NOT NULL OR technical)
);
CREATE UNIQUE INDEX episode_open ON episode (patient_id, family) WHERE state <> 'closed';
CREATE INDEX episode_due ON episode (due_at) WHERE state <> 'closed';
CREATE INDEX episode_of_patient ON episode (patient_id, since DESC);

-- Append only. `key` makes an engine event or a fired deadline happen once, whoever repeats it.
CREATE TABLE episode_event (
    event_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    episode_id bigint NOT NULL REFERENCES episode,
    at         timestamptz NOT NULL,
    kind       text NOT NULL,                -- raised, raised_again, cleared, deadline, acknowledged, decided, note ...
    actor_id   integer,                      -- NULL: the system
    channel    text NOT NULL DEFAULT '',
    from_state text,
    to_state   text,
    detail     jsonb NOT NULL DEFAULT '{}',
    key        text UNIQUE
);
CREATE INDEX episode_event_of ON episode_event (episode_id, event_id);

-- One message to one person over one channel; sent at least once, always under the same key.
CREATE TABLE notice (
    notice_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    episode_id   bigint NOT NULL REFERENCES episode,
    key          text NOT NULL UNIQUE,       -- episode, alarm round, step, recipient, channel
    recipient_id integer,                    -- person; NULL: the household
    recipient    text NOT NULL,              -- name as shown
    audience     text NOT NULL CHECK (audience IN
        ('family_doctor', 'household', 'township_duty', 'county_expert', 'operations')),
    service_tier smallint NOT NULL,          -- 0: the household
    step         smallint NOT NULL,
    channel_url  text NOT NULL,              -- apprise URL, or console: for the console alone
    title        text NOT NULL,
    body         text NOT NULL,
    created_at   timestamptz NOT NULL,
    due_at       timestamptz,                -- NULL: done (sent, or given up)
    attempts     smallint NOT NULL DEFAULT 0,
    sent_at      timestamptz,
    outcome      text NOT NULL DEFAULT ''
);
CREATE INDEX notice_due ON notice (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notice_of ON notice (episode_id, notice_id);

-- What the console and the wall show: published to dashboards.
CREATE VIEW open_episode AS
    SELECT e.*,
           CASE WHEN e.priority = 'high' AND e.emergency THEN 0 WHEN e.priority = 'high' THEN 1
                WHEN e.priority = 'medium' THEN 2 ELSE 3 END AS rank,
           p.key AS patient_key, p.name AS patient_name, p.initials, p.bed, p.risk_colour,
           p.service_tier AS patient_service_tier, p.organisation_id, p.organisation_name, p.organisation_name_en,
           p.family_doctor_id, p.family_doctor_name, p.family_doctor_name_en, p.time_zone
      FROM episode e JOIN care_patient p USING (patient_id)
     WHERE e.state <> 'closed';
