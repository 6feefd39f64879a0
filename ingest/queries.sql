-- Ingest's statements. Batches of values come as arrays or through temporary tables filled by binary COPY.

-- name: make_staging
-- Make the connection's staging tables once; they empty themselves at the end of each transaction.
CREATE TEMPORARY TABLE staged_sample (LIKE sample, ordinal integer) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE staged_fill ON COMMIT DELETE ROWS AS
    SELECT measured_at, patient_id, device_id, spo2, pulse, perfusion_index, temperature, respiratory_rate, systolic,
           diastolic, mean_arterial, glucose, rr_interval, weight, steps, battery, quality
      FROM sample WITH NO DATA;
CREATE TEMPORARY TABLE staged_latest (LIKE latest) ON COMMIT DELETE ROWS;

-- name: registry_version
-- Read how far the registry is; another number means: read it again.
SELECT version FROM care_registry_version;

-- name: registry_gateways
-- List the gateways that may send, and whether their devices may be simulated.
SELECT gateway_id, simulator FROM care_gateway;

-- name: registry_devices
-- List every registered device.
SELECT device_key, device_id FROM care_device;

-- name: registry_bindings
-- List who wore which device when; infinite bounds come as NULL.
SELECT device_id, patient_id,
       CASE WHEN isfinite(valid_from) THEN valid_from END AS valid_from,
       CASE WHEN isfinite(valid_until) THEN valid_until END AS valid_until
  FROM care_binding
 WHERE valid_from IS DISTINCT FROM 'infinity' AND valid_until IS DISTINCT FROM '-infinity';

-- name: claim_outboxes
-- Give each outbox that is nobody's to a gateway; one that another writer is giving away is waited for.
INSERT INTO outbox_owner (outbox_id, gateway_id)
SELECT outbox_id, gateway_id FROM unnest(%(outbox_ids)b::uuid[], %(gateway_ids)b::text[]) AS t (outbox_id, gateway_id)
 ORDER BY outbox_id
    ON CONFLICT (outbox_id) DO NOTHING;

-- name: owners
-- Read whose the outboxes are; that never changes.
SELECT outbox_id, gateway_id FROM outbox_owner WHERE outbox_id = ANY (%(outbox_ids)b::uuid[]);

-- name: open_accounts
-- Make an account for each outbox and gateway that has none.
INSERT INTO outbox_account (outbox_id, gateway_id, taken, received_at)
SELECT outbox_id, gateway_id, '{}', %(received_at)s
  FROM unnest(%(outbox_ids)b::uuid[], %(gateway_ids)b::text[]) AS t (outbox_id, gateway_id)
 ORDER BY outbox_id, gateway_id
    ON CONFLICT (outbox_id, gateway_id) DO NOTHING;

-- name: lock_accounts
-- Lock the accounts touched, in one order for all writers, and read what was taken.
SELECT a.outbox_id, a.gateway_id, a.taken::text
  FROM outbox_account a
  JOIN unnest(%(outbox_ids)b::uuid[], %(gateway_ids)b::text[]) AS t (outbox_id, gateway_id)
 USING (outbox_id, gateway_id)
 ORDER BY a.outbox_id, a.gateway_id FOR UPDATE OF a;

-- name: take_rows
-- Add the rows taken by this batch to their accounts.
UPDATE outbox_account a SET taken = a.taken + t.taken::int8multirange, received_at = %(received_at)s
  FROM unnest(%(outbox_ids)b::uuid[], %(gateway_ids)b::text[], %(taken)b::text[]) AS t (outbox_id, gateway_id, taken)
 WHERE a.outbox_id = t.outbox_id AND a.gateway_id = t.gateway_id;

-- name: add_repeated
-- Count rows taken by this batch that equal what is stored, on accounts that it has locked.
UPDATE outbox_account a SET repeated = a.repeated + t.repeated
  FROM unnest(%(outbox_ids)b::uuid[], %(gateway_ids)b::text[], %(repeated)b::bigint[])
    AS t (outbox_id, gateway_id, repeated)
 WHERE a.outbox_id = t.outbox_id AND a.gateway_id = t.gateway_id;

-- name: make_room
-- Make the day partitions that the batch needs (plain PostgreSQL only).
SELECT sample_make_room(%(days)s::date[]);

-- name: copy_samples
-- Store wide samples of places that are all free; a taken one is a unique violation. {columns}: those with a value.
COPY sample ({columns}) FROM STDIN (FORMAT binary);

-- name: stage_samples
-- Stage the batch's wide samples. {columns}: those with a value.
COPY staged_sample ({columns}) FROM STDIN (FORMAT binary);

-- name: insert_samples
-- Store staged samples whose places were free a moment ago; one that another writer took is not counted.
INSERT INTO sample (measured_at, received_at, patient_id, device_id, acquisition, spo2, pulse, perfusion_index,
    temperature, respiratory_rate, systolic, diastolic, mean_arterial, glucose, rr_interval, weight, steps, battery,
    quality)
SELECT measured_at, received_at, patient_id, device_id, acquisition, spo2, pulse, perfusion_index, temperature,
    respiratory_rate, systolic, diastolic, mean_arterial, glucose, rr_interval, weight, steps, battery, quality
  FROM staged_sample
    ON CONFLICT (patient_id, measured_at, device_id) DO NOTHING;

-- name: stored_counterparts
-- Lock and read what is stored at the places of staged samples.
SELECT t.ordinal, s.spo2, s.pulse, s.perfusion_index, s.temperature, s.respiratory_rate, s.systolic, s.diastolic,
       s.mean_arterial, s.glucose, s.rr_interval, s.weight, s.steps, s.battery, s.quality
  FROM staged_sample t
  JOIN sample s ON s.patient_id = t.patient_id AND s.measured_at = t.measured_at AND s.device_id = t.device_id
 WHERE s.measured_at BETWEEN %(first)s AND %(last)s
 ORDER BY t.ordinal
   FOR UPDATE OF s;

-- name: by_index
-- Let the look-up of counterparts go through the index, whatever the planner thinks of tables it knows nothing of.
SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),
       set_config('enable_seqscan', 'off', true);

-- name: unstage_samples
-- Take samples that have a stored counterpart out of the stage.
DELETE FROM staged_sample WHERE ordinal = ANY (%(ordinals)b::integer[]);

-- name: empty_stage
-- Take every staged sample out: what has been stored must not be found as a counterpart of what is staged next.
DELETE FROM staged_sample;

-- name: stage_fills
-- Stage merged samples: what was stored with its gaps filled. {columns}: those with a value.
COPY staged_fill ({columns}) FROM STDIN (FORMAT binary);

-- name: fill_samples
-- Write merged samples over the stored ones, which this transaction has locked.
UPDATE sample s SET
    spo2 = f.spo2, pulse = f.pulse, perfusion_index = f.perfusion_index, temperature = f.temperature,
    respiratory_rate = f.respiratory_rate, systolic = f.systolic, diastolic = f.diastolic,
    mean_arterial = f.mean_arterial, glucose = f.glucose, rr_interval = f.rr_interval, weight = f.weight,
    steps = f.steps, battery = f.battery, quality = f.quality
  FROM staged_fill f
 WHERE s.patient_id = f.patient_id AND s.measured_at = f.measured_at AND s.device_id = f.device_id
   AND s.measured_at BETWEEN %(first)s AND %(last)s;

-- name: stage_latest
-- Stage the newest word, and the newest good one, of each signal touched.
COPY staged_latest (patient_id, device_id, signal, acquisition, value, quality, reason, measured_at, received_at,
    good_value, good_measured_at, good_received_at) FROM STDIN (FORMAT binary);

-- name: upsert_latest
-- Bring `latest` up to date: the newest measured_at wins, for the newest word and for the newest good one apart. What
-- stands there from the future, as a clock set wrong left it, yields: it would hide all that comes, and silence with it.
-- {newer}, {good_newer}: ingest/store/storing.py.
INSERT INTO latest AS l (patient_id, device_id, signal, acquisition, value, quality, reason, measured_at,
    received_at, good_value, good_measured_at, good_received_at, first_received_at)
SELECT patient_id, device_id, signal, acquisition, value, quality, reason, measured_at,
    received_at, good_value, good_measured_at, good_received_at, received_at
  FROM staged_latest ORDER BY patient_id, signal, device_id
    ON CONFLICT (patient_id, signal, device_id) DO UPDATE SET
    acquisition = CASE WHEN {newer} THEN excluded.acquisition ELSE l.acquisition END,
    value       = CASE WHEN {newer} THEN excluded.value ELSE l.value END,
    quality     = CASE WHEN {newer} THEN excluded.quality ELSE l.quality END,
    reason      = CASE WHEN {newer} THEN excluded.reason ELSE l.reason END,
    received_at = CASE WHEN {newer} THEN excluded.received_at ELSE l.received_at END,
    measured_at = CASE WHEN {newer} THEN excluded.measured_at ELSE l.measured_at END,
    good_value  = CASE WHEN {good_newer} THEN excluded.good_value ELSE l.good_value END,
    good_received_at = CASE WHEN {good_newer} THEN excluded.good_received_at ELSE l.good_received_at END,
    good_measured_at = CASE WHEN {good_newer} THEN excluded.good_measured_at ELSE l.good_measured_at END
 WHERE {newer} OR {good_newer};

-- name: copy_rejected
-- Put aside what was not taken, with its reason.
COPY rejected (received_at, source, reason, detail, device, measured_at, outbox_id, first_row, last_row, readings,
    payload, last_received_at, earliest_at, latest_at, own_rows, judged_version) FROM STDIN;

-- name: put_unread
-- Put a message aside that could not be read, or count it where it lies since less than a day. A row that another
-- writer is counting on is passed over, so that two never wait for each other. (Ordered by a column without an index:
-- a planner that walks the newest of a reason until a payload matches reads them all.)
WITH again AS (
    UPDATE rejected SET times = times + 1, last_received_at = GREATEST(last_received_at, %(received_at)s)
     WHERE rejected_id = (
        SELECT rejected_id FROM rejected
         WHERE source = %(source)s AND reason = %(reason)s AND sha256(payload) = sha256(%(payload)s)
           AND outbox_id IS NULL AND received_at > %(received_at)s::timestamptz - INTERVAL '1 day'
         ORDER BY last_received_at DESC LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING rejected_id
)
INSERT INTO rejected (received_at, source, reason, detail, readings, payload, last_received_at)
SELECT %(received_at)s, %(source)s, %(reason)s, %(detail)s, %(readings)s, %(payload)s, %(received_at)s
 WHERE NOT EXISTS (SELECT FROM again);

-- name: put_status
-- Keep a gateway's newest word about itself. One the broker had retained is no news of when the gateway was there.
INSERT INTO gateway_status AS g (gateway_id, online, received_at, status, heartbeat, heartbeat_at)
VALUES (%(gateway_id)s, %(online)s, %(received_at)s, %(status)s::jsonb, CASE WHEN %(online)s THEN %(status)s::jsonb END,
        CASE WHEN %(online)s AND NOT %(retained)s THEN %(received_at)s::timestamptz END)
    ON CONFLICT (gateway_id) DO UPDATE SET online = excluded.online, status = excluded.status,
       received_at = CASE WHEN %(retained)s THEN g.received_at ELSE excluded.received_at END,
       heartbeat = COALESCE(excluded.heartbeat, g.heartbeat),
       heartbeat_at = COALESCE(excluded.heartbeat_at, g.heartbeat_at);

-- name: put_outbox_word
-- Keep a gateway's newest word on its outbox; an older one (retained, or out of order) changes nothing.
INSERT INTO outbox_word AS w (outbox_id, gateway_id, accepted, thinned, depth, salvaged, thinned_rows, first_said_at,
    said_at)
VALUES (%(outbox_id)s, %(gateway_id)s, %(accepted)s, %(thinned)s, %(depth)s, %(salvaged)s,
        %(thinned_rows)s::int8multirange, %(received_at)s, %(received_at)s)
    ON CONFLICT (outbox_id, gateway_id) DO UPDATE SET accepted = excluded.accepted, thinned = excluded.thinned,
       depth = excluded.depth, salvaged = excluded.salvaged, thinned_rows = excluded.thinned_rows,
       said_at = CASE WHEN %(retained)s THEN w.said_at ELSE excluded.said_at END
 WHERE excluded.accepted >= w.accepted;

-- name: say_word
-- Say that this process of ingest lives, and whether it hears a broker. `since` is that of the present state: who comes
-- back as deaf as it went is deaf since then, who comes back hearing hears since now.
INSERT INTO ingest_word AS w (process, said_at, every_s, hears, since)
VALUES (%(process)s, %(now)s, %(every_s)s, %(hears)s, %(now)s)
    ON CONFLICT (process) DO UPDATE SET said_at = excluded.said_at, every_s = excluded.every_s, hears = excluded.hears,
       since = CASE WHEN w.hears = excluded.hears
                     AND (NOT w.hears OR w.said_at >= excluded.said_at - make_interval(secs => 3 * w.every_s))
                    THEN w.since ELSE excluded.since END;

-- name: append_to_log
-- The last statement before the commit: number the batch in each partition it touches, append it, tell alerting. Within a
-- partition received_at never falls, whatever the clocks of several writers say: what was stored by a batch's received_at
-- is all that stands before it.
WITH locked AS (
    SELECT partition FROM partition WHERE partition = ANY (%(partitions)b::smallint[]) ORDER BY partition FOR UPDATE
), bumped AS (
    UPDATE partition p SET head = p.head + 1 FROM locked WHERE p.partition = locked.partition
    RETURNING p.partition, p.head
), appended AS (
    INSERT INTO intake_log (partition, batch_id, received_at, said_at, payload, kind)
    SELECT b.partition, b.head, GREATEST(%(received_at)s, before.received_at), %(received_at)s, t.payload, %(kind)s
      FROM bumped b
      JOIN unnest(%(partitions)b::smallint[], %(payloads)b::bytea[]) AS t (partition, payload) USING (partition)
      LEFT JOIN intake_log before ON before.partition = b.partition AND before.batch_id = b.head - 1
    RETURNING partition, batch_id
)
SELECT count(*), pg_notify('intake', string_agg(partition::text, ',' ORDER BY partition)) FROM appended;

-- name: accounts
-- List how each outbox stands, and since when something of a kind is missing.
SELECT s.*, s.taken - s.rejected - s.repeated AS stored,
       ARRAY(SELECT n.kind FROM outbox_noticed n WHERE (n.outbox_id, n.gateway_id) = (s.outbox_id, s.gateway_id)
              ORDER BY n.kind) AS kinds,
       ARRAY(SELECT n.since FROM outbox_noticed n WHERE (n.outbox_id, n.gateway_id) = (s.outbox_id, s.gateway_id)
              ORDER BY n.kind) AS since
  FROM outbox_standing s
 WHERE %(gateway_id)s::text IS NULL OR gateway_id = %(gateway_id)s
 ORDER BY gateway_id, outbox_id;

-- name: configs
-- What each gateway that ever had a claim is to read now, and when that last changed.
SELECT gateway_id, max(GREATEST(claimed_at, released_at)) AS changed_at,
       coalesce(array_agg(device_key ORDER BY device_key) FILTER (WHERE released_at IS NULL), '{}') AS devices,
       coalesce(array_agg(driver ORDER BY device_key) FILTER (WHERE released_at IS NULL), '{}') AS drivers
  FROM care_claim GROUP BY gateway_id ORDER BY gateway_id;

-- name: token_add
-- Keep a new token's fingerprint under an organisation; no row where there is no such organisation.
INSERT INTO intake_token (sha256, organisation_id, name, created_at)
SELECT %(sha256)s, organisation_id, %(name)s, %(now)s FROM care_organisation WHERE key = %(organisation)s
RETURNING token_id;

-- name: token_list
-- List every token there ever was, by organisation and name; one whose organisation is gone says so.
SELECT t.token_id, coalesce(o.key, '(gone)') AS organisation, t.name, t.created_at, t.last_used_at, t.revoked_at
  FROM intake_token t LEFT JOIN care_organisation o USING (organisation_id)
 ORDER BY organisation, t.name, t.token_id;

-- name: token_revoke
-- Revoke a token from now on; a revoked one keeps its instant. No row where there is none of this number.
UPDATE intake_token SET revoked_at = coalesce(revoked_at, %(now)s) WHERE token_id = %(token_id)s
RETURNING token_id, name, revoked_at;

-- name: token_admit
-- Find a token by its fingerprint, say whether it covers the gateway, and note its use, and for whom (once a minute).
WITH asked AS (
    SELECT t.token_id, t.revoked_at IS NOT NULL AS is_revoked,
           EXISTS (SELECT FROM care_gateway g
                     JOIN care_organisation_ancestor a ON a.organisation_id = g.organisation_id
                    WHERE g.gateway_id = %(gateway_id)s AND a.ancestor_id = t.organisation_id) AS covers_gateway
      FROM intake_token t WHERE t.sha256 = %(sha256)s
), used AS (
    UPDATE intake_token SET last_used_at = %(now)s
     WHERE sha256 = %(sha256)s AND revoked_at IS NULL
       AND (last_used_at IS NULL OR last_used_at < %(now)s::timestamptz - INTERVAL '1 minute')
), used_for AS (
    INSERT INTO intake_token_use AS u (gateway_id, token_id, first_at, last_at)
    SELECT %(gateway_id)s, token_id, %(now)s, %(now)s FROM asked
     WHERE covers_gateway AND NOT is_revoked
       AND NOT EXISTS (SELECT FROM intake_token_use known
                        WHERE known.gateway_id = %(gateway_id)s AND known.token_id = asked.token_id
                          AND known.last_at >= %(now)s::timestamptz - INTERVAL '1 minute')
    ON CONFLICT (gateway_id, token_id) DO UPDATE SET last_at = greatest(u.last_at, excluded.last_at)
)
SELECT token_id, is_revoked, covers_gateway FROM asked;

-- name: is_standby
-- Say whether this server only follows another, or takes no writes.
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean;

-- name: is_schema_right
-- Name each table and column that storing needs: one that is missing is an error.
SELECT s.measured_at, s.quality, a.taken, a.repeated, w.gateway_id, r.times, r.judged_version, l.first_received_at, i.batch_id, i.kind, p.head,
       t.sha256, v.version, n.kind, o.thinned_rows, u.last_at
  FROM sample s, outbox_account a, outbox_owner w, rejected r, latest l, intake_log i, partition p, intake_token t,
       care_registry_version v, outbox_noticed n, outbox_word o,
       intake_token_use u
 LIMIT 0;
