-- Readings: the wide sample table, what could not be taken, what is stored per outbox, the engine's feed.
-- hearthwatch: always

-- One row per device and instant. Values are int2 in the signal's scale (hundredths for most; rr_interval in ms,
-- steps in counts). `quality` is NULL when every value is good, else 13 bytes, one a signal in code order:
-- 255 not in this sample, else quality * 64 + reason (vitals/quality.py).
CREATE TABLE sample (
    measured_at      timestamptz NOT NULL,
    received_at      timestamptz NOT NULL,
    patient_id       integer NOT NULL,
    device_id        integer NOT NULL,
    acquisition      smallint NOT NULL,
    spo2             smallint,
    pulse            smallint,
    perfusion_index  smallint,
    temperature      smallint,
    respiratory_rate smallint,
    systolic         smallint,
    diastolic        smallint,
    mean_arterial    smallint,
    glucose          smallint,
    rr_interval      smallint,
    weight           smallint,
    steps            smallint,
    battery          smallint,
    quality          bytea CHECK (octet_length(quality) = 13)
-- hearthwatch: when timescale
);
SELECT create_hypertable('sample', by_range('measured_at', INTERVAL '1 day'), create_default_indexes => false);
-- hearthwatch: when plain
) PARTITION BY RANGE (measured_at);
-- hearthwatch: always
CREATE UNIQUE INDEX sample_identity ON sample (patient_id, measured_at, device_id);

-- Plain PostgreSQL has no chunks: make the day partitions a batch needs. On TimescaleDB this does nothing.
CREATE FUNCTION sample_make_room(days date[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE day date; name text;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'sample'::regclass) <> 'p' THEN RETURN; END IF;
    FOREACH day IN ARRAY days LOOP
        name := 'sample_' || to_char(day, 'YYYYMMDD');
        IF to_regclass(name) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('sample_make_room'));
            EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF sample FOR VALUES FROM (%L) TO (%L)', name,
                           (day::timestamp AT TIME ZONE 'UTC'), ((day + 1)::timestamp AT TIME ZONE 'UTC'));
        END IF;
    END LOOP;
END $$;

-- What could not be parsed, attributed, or contradicts what is stored. A message that can not be read is never
-- acknowledged to its gateway, which sends it again and again: the same payload from the same source for the same
-- reason is counted on the row that is less than a day old. All other rows stand for readings, each once.
CREATE TABLE rejected (
    rejected_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    source      text NOT NULL,          -- gateway id, or where it came from
    reason      text NOT NULL,
    detail      text NOT NULL,          -- names the offending value
    device      text,
    measured_at timestamptz,
    outbox_id   uuid,
    first_row   bigint,
    last_row    bigint,                 -- inclusive
    readings    integer NOT NULL,       -- how many it stands for; 0 where the payload can not say
    payload     bytea NOT NULL,
    times       integer NOT NULL DEFAULT 1,    -- how often it came
    last_received_at timestamptz NOT NULL
);
COMMENT ON COLUMN rejected.payload IS
    'A message that could not be read, or was refused whole: as it came (at most 256 KiB of it). Single readings: '
    '24-byte rows, little endian: row_no i8, measured_ms i8, value i2, signal u1, quality u1, reason u1, '
    'acquisition u1, 2 bytes of padding (ingest/refusals.py).';
CREATE INDEX rejected_by_time ON rejected (received_at DESC);
CREATE INDEX rejected_by_reason ON rejected (reason, received_at DESC);
CREATE INDEX rejected_unread ON rejected (source, reason, sha256(payload)) WHERE outbox_id IS NULL;

-- Whose an outbox is: the first registered gateway's that sent from it. A copied one (two gateways written from one
-- image) stays the first's; what another gateway sends from it lies in `rejected` as foreign_outbox.
CREATE TABLE outbox_owner (outbox_id uuid PRIMARY KEY, gateway_id text NOT NULL);

-- Which rows of an outbox have been taken over (in `sample` or in `rejected`) from a gateway: deduplication,
-- acknowledgement and the account of what is missing, in one. Each gateway has its own, as row 5 of a copied outbox
-- is one reading here and another there. Every row taken is in `intake_log` once, or stands in `rejected.readings`,
-- or is counted in `repeated`: a reading of its own row that equals what is stored. (A row that was taken before is
-- not taken again, so sending a message again repeats nothing.)
CREATE TABLE outbox_account (
    outbox_id   uuid NOT NULL,
    gateway_id  text NOT NULL,
    taken       int8multirange NOT NULL,
    repeated    bigint NOT NULL DEFAULT 0,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (outbox_id, gateway_id)
);

-- The newest word of each signal, per patient and device. `value` NULL: the device sent none (see quality, reason).
-- good_* is the newest GOOD one; first_received_at is when this signal was first heard of at all. Read by the screens
-- and by the sweep for silence.
CREATE TABLE latest (
    patient_id       integer NOT NULL,
    device_id        integer NOT NULL,
    signal           smallint NOT NULL,
    acquisition      smallint NOT NULL,
    value            smallint,
    quality          smallint NOT NULL,
    reason           smallint NOT NULL,
    measured_at      timestamptz NOT NULL,
    received_at      timestamptz NOT NULL,
    good_value       smallint,
    good_measured_at timestamptz,
    good_received_at timestamptz,
    first_received_at timestamptz,
    PRIMARY KEY (patient_id, signal, device_id)
) WITH (fillfactor = 70);

-- The unit of order and ownership: patient_id % 32, fixed at install. `head` is the last batch committed.
CREATE TABLE partition (partition smallint PRIMARY KEY, head bigint NOT NULL DEFAULT 0);
INSERT INTO partition (partition) SELECT generate_series(0, 31);

-- The normalised batches in commit order: 24-byte rows (ingest/feed.py). The engine's feed and its replay source.
CREATE TABLE intake_log (
    partition   smallint NOT NULL REFERENCES partition,
    batch_id    bigint NOT NULL,
    received_at timestamptz NOT NULL,
    payload     bytea NOT NULL,
    PRIMARY KEY (partition, batch_id)
);
ALTER TABLE intake_log ALTER COLUMN payload SET STORAGE EXTERNAL;

-- A gateway's newest word about itself, which may be its last will; and `heartbeat`, its newest that said more than
-- "offline", with when that was heard (NULL: the broker had kept it, and nobody knows since when). Published to the
-- screens.
CREATE TABLE gateway_status (
    gateway_id   text PRIMARY KEY,
    online       boolean NOT NULL,
    received_at  timestamptz NOT NULL,
    status       jsonb NOT NULL,
    heartbeat    jsonb,
    heartbeat_at timestamptz
);

-- One row per reading, in the signal's unit: for screens, Grafana and people. Published to other rooms.
CREATE VIEW reading AS
    SELECT s.patient_id, s.device_id, s.measured_at, s.received_at, s.acquisition, v.signal, v.value,
           COALESCE(CASE WHEN s.quality IS NOT NULL THEN get_byte(s.quality, v.code - 1) >> 6 END, 0) AS quality,
           COALESCE(CASE WHEN s.quality IS NOT NULL THEN get_byte(s.quality, v.code - 1) & 63 END, 0) AS reason
      FROM sample s
     CROSS JOIN LATERAL (VALUES
        (1, 'spo2', s.spo2 / 100.0), (2, 'pulse', s.pulse / 100.0), (3, 'perfusion_index', s.perfusion_index / 100.0),
        (4, 'temperature', s.temperature / 100.0), (5, 'respiratory_rate', s.respiratory_rate / 100.0),
        (6, 'systolic', s.systolic / 100.0), (7, 'diastolic', s.diastolic / 100.0),
        (8, 'mean_arterial', s.mean_arterial / 100.0), (9, 'glucose', s.glucose / 100.0),
        (10, 'rr_interval', s.rr_interval::numeric), (11, 'weight', s.weight / 100.0),
        (12, 'steps', s.steps::numeric), (13, 'battery', s.battery / 100.0)) AS v (code, signal, value)
     WHERE v.value IS NOT NULL
        OR (s.quality IS NOT NULL AND get_byte(s.quality, v.code - 1) <> 255);
