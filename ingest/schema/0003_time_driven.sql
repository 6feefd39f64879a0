-- Time-driven work: minute and hour roll-ups, who still needs the intake log, evidence, and when each job last ran.
-- hearthwatch: always

-- One row per patient and minute (or hour), wide as `sample` is: of each signal the sum, the least and the greatest of
-- the good values in the signal's scale (NULL: none good), how many were good, how many words there were (NULL: none).
-- *_ms are SpO2's alone: how long good continuous values held, and how long those below 90 and 93 did
-- (docs/time-driven-work.md has the formula). A row is always made anew from `sample` (an hour from its minutes).
CREATE TABLE minute_rollup (
    begins_at   timestamptz NOT NULL,
    patient_id  integer NOT NULL,
    covered_ms  integer NOT NULL DEFAULT 0,
    below_90_ms integer NOT NULL DEFAULT 0,
    below_93_ms integer NOT NULL DEFAULT 0,
    spo2_sum bigint, pulse_sum bigint, perfusion_index_sum bigint, temperature_sum bigint,
    respiratory_rate_sum bigint, systolic_sum bigint, diastolic_sum bigint, mean_arterial_sum bigint,
    glucose_sum bigint, rr_interval_sum bigint, weight_sum bigint, steps_sum bigint, battery_sum bigint,
    spo2_good integer, pulse_good integer, perfusion_index_good integer, temperature_good integer,
    respiratory_rate_good integer, systolic_good integer, diastolic_good integer, mean_arterial_good integer,
    glucose_good integer, rr_interval_good integer, weight_good integer, steps_good integer, battery_good integer,
    spo2_count integer, pulse_count integer, perfusion_index_count integer, temperature_count integer,
    respiratory_rate_count integer, systolic_count integer, diastolic_count integer, mean_arterial_count integer,
    glucose_count integer, rr_interval_count integer, weight_count integer, steps_count integer,
    battery_count integer,
    spo2_min smallint, pulse_min smallint, perfusion_index_min smallint, temperature_min smallint,
    respiratory_rate_min smallint, systolic_min smallint, diastolic_min smallint, mean_arterial_min smallint,
    glucose_min smallint, rr_interval_min smallint, weight_min smallint, steps_min smallint, battery_min smallint,
    spo2_max smallint, pulse_max smallint, perfusion_index_max smallint, temperature_max smallint,
    respiratory_rate_max smallint, systolic_max smallint, diastolic_max smallint, mean_arterial_max smallint,
    glucose_max smallint, rr_interval_max smallint, weight_max smallint, steps_max smallint, battery_max smallint
-- hearthwatch: when timescale
);
SELECT create_hypertable('minute_rollup', by_range('begins_at', INTERVAL '7 days'), create_default_indexes => false);
-- hearthwatch: when plain
) PARTITION BY RANGE (begins_at);
-- hearthwatch: always
CREATE UNIQUE INDEX minute_rollup_identity ON minute_rollup (patient_id, begins_at);

CREATE TABLE hour_rollup (LIKE minute_rollup INCLUDING DEFAULTS
-- hearthwatch: when timescale
);
SELECT create_hypertable('hour_rollup', by_range('begins_at', INTERVAL '90 days'), create_default_indexes => false);
-- hearthwatch: when plain
) PARTITION BY RANGE (begins_at);
-- hearthwatch: always
CREATE UNIQUE INDEX hour_rollup_identity ON hour_rollup (patient_id, begins_at);

-- Plain PostgreSQL: make the partitions that roll-ups of these days need (weeks of minutes, quarters of hours).
CREATE FUNCTION rollup_make_room(days date[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE place record;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'minute_rollup'::regclass) <> 'p' THEN RETURN; END IF;
    FOR place IN
        SELECT DISTINCT parent, first, (first + width)::date AS until,
               parent || '_' || to_char(first, 'YYYYMMDD') AS name
          FROM unnest(days) AS day
         CROSS JOIN LATERAL (VALUES
            ('minute_rollup', date_trunc('week', day::timestamp)::date, INTERVAL '7 days'),
            ('hour_rollup', date_trunc('quarter', day::timestamp)::date, INTERVAL '3 months'))
                AS v (parent, first, width)
    LOOP
        IF to_regclass(place.name) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('rollup_make_room'));
            EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                           place.name, place.parent, place.first::timestamp AT TIME ZONE 'UTC',
                           place.until::timestamp AT TIME ZONE 'UTC');
        END IF;
    END LOOP;
END $$;

-- The pieces (chunks, partitions) of a table that is cut by time, with their bounds; the same on both editions.
CREATE FUNCTION pieces_of(whole text) RETURNS TABLE (piece regclass, begins_at timestamptz, ends_at timestamptz)
LANGUAGE sql STABLE AS $$
-- hearthwatch: when timescale
    SELECT format('%I.%I', chunk_schema, chunk_name)::regclass, range_start, range_end
      FROM timescaledb_information.chunks WHERE hypertable_name = whole AND hypertable_schema = current_schema()
-- hearthwatch: when plain
    SELECT i.inhrelid::regclass,
           (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([^'']+)''\)'))[1]::timestamptz,
           (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']+)''\)'))[1]::timestamptz
      FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = whole::regclass
-- hearthwatch: always
     ORDER BY 2
$$;

-- Drop one piece: its rows are gone for good.
CREATE FUNCTION drop_piece(whole text, piece regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
-- hearthwatch: when timescale
    PERFORM drop_chunks(whole::regclass, newer_than => p.begins_at, older_than => p.ends_at)
       FROM pieces_of(whole) p WHERE p.piece = drop_piece.piece;
-- hearthwatch: when plain
    EXECUTE format('DROP TABLE %s', piece);
-- hearthwatch: always
END $$;

-- Hours whose minutes have changed since they were made.
CREATE TABLE dirty_hour (
    patient_id integer NOT NULL,
    begins_at  timestamptz NOT NULL,
    PRIMARY KEY (patient_id, begins_at)
);

-- Before which instant the rows of a table were dropped. Nothing is made anew from what is no longer there.
CREATE TABLE dropped (class text PRIMARY KEY, before timestamptz NOT NULL);
INSERT INTO dropped (class, before) VALUES ('sample', '-infinity');

-- How far each reader of the intake log needs no more of it: nothing behind the hindmost is trimmed. A reader that has
-- never said so needs all of it.
CREATE TABLE intake_reader (
    reader    text NOT NULL,
    partition smallint NOT NULL REFERENCES partition,
    batch_id  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (reader, partition)
);
INSERT INTO intake_reader (reader, partition)
SELECT reader, partition FROM (VALUES ('rollups'), ('alerting')) AS r (reader) CROSS JOIN partition;

-- For the readers in other rooms: say up to which batch a partition's log is no longer needed.
CREATE FUNCTION intake_read(of_reader text, of_partition smallint, up_to bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE intake_reader SET batch_id = up_to WHERE reader = of_reader AND partition = of_partition
$$;

-- What alerting wants kept for good: a patient's samples about an episode. until_at is infinity while it goes on.
CREATE TABLE evidence_window (
    episode_id bigint PRIMARY KEY,
    patient_id integer NOT NULL,
    from_at    timestamptz NOT NULL,
    until_at   timestamptz NOT NULL
);

-- For alerting: keep the evidence of an episode. The beginning only ever moves back; NULL leaves the end as it is.
CREATE FUNCTION keep_evidence(of_episode bigint, of_patient integer, since timestamptz, until timestamptz)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO evidence_window AS w (episode_id, patient_id, from_at, until_at)
    VALUES (of_episode, of_patient, since, COALESCE(until, 'infinity'))
        ON CONFLICT (episode_id) DO UPDATE SET from_at = LEAST(w.from_at, since), until_at = COALESCE(until, w.until_at)
$$;

-- Samples of a dropped day that belong to an episode; put here in the transaction that drops the day. Never dropped.
CREATE TABLE sample_evidence (LIKE sample INCLUDING CONSTRAINTS);
CREATE UNIQUE INDEX sample_evidence_identity ON sample_evidence (patient_id, measured_at, device_id);

-- Every sample that there still is: raw, or kept as evidence; never both.
CREATE VIEW any_sample AS SELECT * FROM sample UNION ALL SELECT * FROM sample_evidence;

-- As before, and of evidence too.
CREATE OR REPLACE VIEW reading AS
    SELECT s.patient_id, s.device_id, s.measured_at, s.received_at, s.acquisition, v.signal, v.value,
           COALESCE(CASE WHEN s.quality IS NOT NULL THEN get_byte(s.quality, v.code - 1) >> 6 END, 0) AS quality,
           COALESCE(CASE WHEN s.quality IS NOT NULL THEN get_byte(s.quality, v.code - 1) & 63 END, 0) AS reason
      FROM any_sample s
     CROSS JOIN LATERAL (VALUES
        (1, 'spo2', s.spo2 / 100.0), (2, 'pulse', s.pulse / 100.0), (3, 'perfusion_index', s.perfusion_index / 100.0),
        (4, 'temperature', s.temperature / 100.0), (5, 'respiratory_rate', s.respiratory_rate / 100.0),
        (6, 'systolic', s.systolic / 100.0), (7, 'diastolic', s.diastolic / 100.0),
        (8, 'mean_arterial', s.mean_arterial / 100.0), (9, 'glucose', s.glucose / 100.0),
        (10, 'rr_interval', s.rr_interval::numeric), (11, 'weight', s.weight / 100.0),
        (12, 'steps', s.steps::numeric), (13, 'battery', s.battery / 100.0)) AS v (code, signal, value)
     WHERE v.value IS NOT NULL
        OR (s.quality IS NOT NULL AND get_byte(s.quality, v.code - 1) <> 255);

-- When each job of `hearthwatch ingest tend` last ran (the machine's time), and what came of it.
CREATE TABLE tending (
    job          text PRIMARY KEY,
    every_s      integer NOT NULL,
    last_run     timestamptz NOT NULL,
    last_success timestamptz,
    duration_ms  integer NOT NULL,
    failures     integer NOT NULL,          -- in a row
    detail       text NOT NULL,
    work_left    bigint NOT NULL DEFAULT 0, -- as far as it can be told: readings, or whatever the job counts
    work_per_s   double precision           -- in the last turn that had work
);

-- Published to other rooms: roll-ups in the signals' units, one row per signal.
CREATE VIEW reading_minute AS
    SELECT r.patient_id, r.begins_at, v.signal, v.low / v.scale::numeric AS low, v.high / v.scale::numeric AS high,
           v.sum / (v.scale * nullif(v.good, 0))::numeric AS mean, COALESCE(v.good, 0) AS good,
           COALESCE(v.count, 0) AS count, v.good / nullif(v.count, 0)::numeric AS good_share,
           CASE WHEN v.code = 1 THEN r.covered_ms / 1000.0 END AS covered_s,
           CASE WHEN v.code = 1 THEN r.below_90_ms / 1000.0 END AS below_90_s,
           CASE WHEN v.code = 1 THEN r.below_93_ms / 1000.0 END AS below_93_s
      FROM minute_rollup r
     CROSS JOIN LATERAL (VALUES
        (1, 'spo2', 100, r.spo2_sum, r.spo2_good, r.spo2_count, r.spo2_min, r.spo2_max),
        (2, 'pulse', 100, r.pulse_sum, r.pulse_good, r.pulse_count, r.pulse_min, r.pulse_max),
        (3, 'perfusion_index', 100, r.perfusion_index_sum, r.perfusion_index_good, r.perfusion_index_count,
         r.perfusion_index_min, r.perfusion_index_max),
        (4, 'temperature', 100, r.temperature_sum, r.temperature_good, r.temperature_count,
         r.temperature_min, r.temperature_max),
        (5, 'respiratory_rate', 100, r.respiratory_rate_sum, r.respiratory_rate_good, r.respiratory_rate_count,
         r.respiratory_rate_min, r.respiratory_rate_max),
        (6, 'systolic', 100, r.systolic_sum, r.systolic_good, r.systolic_count, r.systolic_min, r.systolic_max),
        (7, 'diastolic', 100, r.diastolic_sum, r.diastolic_good, r.diastolic_count, r.diastolic_min, r.diastolic_max),
        (8, 'mean_arterial', 100, r.mean_arterial_sum, r.mean_arterial_good, r.mean_arterial_count,
         r.mean_arterial_min, r.mean_arterial_max),
        (9, 'glucose', 100, r.glucose_sum, r.glucose_good, r.glucose_count, r.glucose_min, r.glucose_max),
        (10, 'rr_interval', 1, r.rr_interval_sum, r.rr_interval_good, r.rr_interval_count,
         r.rr_interval_min, r.rr_interval_max),
        (11, 'weight', 100, r.weight_sum, r.weight_good, r.weight_count, r.weight_min, r.weight_max),
        (12, 'steps', 1, r.steps_sum, r.steps_good, r.steps_count, r.steps_min, r.steps_max),
        (13, 'battery', 100, r.battery_sum, r.battery_good, r.battery_count, r.battery_min, r.battery_max)
     ) AS v (code, signal, scale, sum, good, count, low, high)
     WHERE v.count > 0 OR (v.code = 1 AND r.covered_ms > 0);

CREATE VIEW reading_hour AS
    SELECT r.patient_id, r.begins_at, v.signal, v.low / v.scale::numeric AS low, v.high / v.scale::numeric AS high,
           v.sum / (v.scale * nullif(v.good, 0))::numeric AS mean, COALESCE(v.good, 0) AS good,
           COALESCE(v.count, 0) AS count, v.good / nullif(v.count, 0)::numeric AS good_share,
           CASE WHEN v.code = 1 THEN r.covered_ms / 1000.0 END AS covered_s,
           CASE WHEN v.code = 1 THEN r.below_90_ms / 1000.0 END AS below_90_s,
           CASE WHEN v.code = 1 THEN r.below_93_ms / 1000.0 END AS below_93_s
      FROM hour_rollup r
     CROSS JOIN LATERAL (VALUES
        (1, 'spo2', 100, r.spo2_sum, r.spo2_good, r.spo2_count, r.spo2_min, r.spo2_max),
        (2, 'pulse', 100, r.pulse_sum, r.pulse_good, r.pulse_count, r.pulse_min, r.pulse_max),
        (3, 'perfusion_index', 100, r.perfusion_index_sum, r.perfusion_index_good, r.perfusion_index_count,
         r.perfusion_index_min, r.perfusion_index_max),
        (4, 'temperature', 100, r.temperature_sum, r.temperature_good, r.temperature_count,
         r.temperature_min, r.temperature_max),
        (5, 'respiratory_rate', 100, r.respiratory_rate_sum, r.respiratory_rate_good, r.respiratory_rate_count,
         r.respiratory_rate_min, r.respiratory_rate_max),
        (6, 'systolic', 100, r.systolic_sum, r.systolic_good, r.systolic_count, r.systolic_min, r.systolic_max),
        (7, 'diastolic', 100, r.diastolic_sum, r.diastolic_good, r.diastolic_count, r.diastolic_min, r.diastolic_max),
        (8, 'mean_arterial', 100, r.mean_arterial_sum, r.mean_arterial_good, r.mean_arterial_count,
         r.mean_arterial_min, r.mean_arterial_max),
        (9, 'glucose', 100, r.glucose_sum, r.glucose_good, r.glucose_count, r.glucose_min, r.glucose_max),
        (10, 'rr_interval', 1, r.rr_interval_sum, r.rr_interval_good, r.rr_interval_count,
         r.rr_interval_min, r.rr_interval_max),
        (11, 'weight', 100, r.weight_sum, r.weight_good, r.weight_count, r.weight_min, r.weight_max),
        (12, 'steps', 1, r.steps_sum, r.steps_good, r.steps_count, r.steps_min, r.steps_max),
        (13, 'battery', 100, r.battery_sum, r.battery_good, r.battery_count, r.battery_min, r.battery_max)
     ) AS v (code, signal, scale, sum, good, count, low, high)
     WHERE v.count > 0 OR (v.code = 1 AND r.covered_ms > 0);
