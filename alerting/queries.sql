-- name: save_profile
-- Keep a clinical profile by its hash, so that every episode can show what decided it.
INSERT INTO clinical_profile (profile_hash, name, body, loaded_at)
VALUES (%(profile_hash)s, %(name)s, %(body)s, %(now)s)
ON CONFLICT (profile_hash) DO UPDATE SET loaded_at = EXCLUDED.loaded_at;

-- name: keep_profile
-- The same for a profile that alerting may not have begun to work under yet.
INSERT INTO clinical_profile (profile_hash, name, body, loaded_at)
VALUES (%(profile_hash)s, %(name)s, %(body)s, %(now)s) ON CONFLICT (profile_hash) DO NOTHING;

-- name: newest_profile
-- The profile that alerting works under.
SELECT body FROM clinical_profile ORDER BY loaded_at DESC LIMIT 1;

-- name: person
-- Who acts, and at which service tier.
SELECT person_id, name, service_tier, role, organisation_id FROM care_person WHERE person_id = %(person_id)s;

-- name: bound_idleness
-- End a transaction of this session that does nothing for so long: what it has locked is others' then.
SELECT set_config('idle_in_transaction_session_timeout', %(limit_ms)s, false);

-- name: sign_in
-- A worker lives, by the server's clock; gives all that do. Who has not for an hour is forgotten.
WITH here AS (
    INSERT INTO engine_worker (owner, alive_until) VALUES (%(owner)s, clock_timestamp() + %(lease)s)
    ON CONFLICT (owner) DO UPDATE SET alive_until = EXCLUDED.alive_until RETURNING owner
), gone AS (
    DELETE FROM engine_worker WHERE owner <> %(owner)s AND alive_until < clock_timestamp() - INTERVAL '1 hour'
)
SELECT owner FROM here UNION SELECT owner FROM engine_worker WHERE alive_until >= clock_timestamp();

-- name: sign_out
-- A worker ends: the others' shares grow at once.
DELETE FROM engine_worker WHERE owner = %(owner)s;

-- name: owned_by
-- Which partitions are a worker's, as the database knows it.
SELECT partition, version FROM engine_cursor WHERE owner = %(owner)s;

-- name: renew
-- Keep these partitions.
UPDATE engine_cursor SET leased_until = clock_timestamp() + %(lease)s
 WHERE owner = %(owner)s AND partition = ANY(%(partitions)s);

-- name: give_back
-- Leave these partitions, where they are still this worker's, to whoever comes first.
UPDATE engine_cursor c SET owner = '', leased_until = NULL
  FROM unnest(%(partitions)s::smallint[], %(versions)s::bigint[]) AS t (partition, version)
 WHERE c.partition = t.partition AND c.version = t.version AND c.owner = %(owner)s;

-- name: take_over
-- Own so many of these partitions: one's own first, then those free or left. Whoever owned them before can commit
-- nothing more; one that is being judged at this moment is passed over.
UPDATE engine_cursor c
   SET owner = %(owner)s, version = c.version + 1, leased_until = clock_timestamp() + %(lease)s
  FROM (SELECT partition FROM engine_cursor
         WHERE partition = ANY(%(partitions)s)
           AND (owner IN ('', %(owner)s) OR leased_until IS NULL OR leased_until < clock_timestamp())
         ORDER BY owner <> %(owner)s, partition LIMIT %(most)s FOR UPDATE SKIP LOCKED) free
 WHERE c.partition = free.partition
RETURNING c.partition, c.batch_id, c.version;

-- name: lock_cursor
-- Begin to judge: nobody takes the partition over until the commit. No row: somebody has.
SELECT batch_id FROM engine_cursor WHERE partition = %(partition)s AND version = %(version)s FOR UPDATE;

-- name: read_snapshot
-- A partition's arrays as last written.
SELECT batch_id, layout_hash, rules_hash, payload, whole_from_ms FROM engine_snapshot WHERE partition = %(partition)s;

-- name: save_snapshot
-- Write one partition's arrays with the cursor they stand at; the log up to there is needed no more. Nothing is written
-- by a worker that has lost the partition: an older snapshot than the log was trimmed for would lose readings.
WITH mine AS (
    SELECT partition FROM engine_cursor WHERE partition = %(partition)s AND version = %(version)s FOR UPDATE
), saved AS (
    INSERT INTO engine_snapshot (partition, batch_id, layout_hash, rules_hash, taken_at, payload, whole_from_ms)
    SELECT partition, %(batch_id)s, %(layout_hash)s, %(rules_hash)s, %(now)s, %(payload)s, %(whole_from_ms)s FROM mine
    ON CONFLICT (partition) DO UPDATE SET batch_id = EXCLUDED.batch_id, layout_hash = EXCLUDED.layout_hash,
        rules_hash = EXCLUDED.rules_hash, taken_at = EXCLUDED.taken_at, payload = EXCLUDED.payload,
        whole_from_ms = EXCLUDED.whole_from_ms
    RETURNING partition, batch_id)
SELECT intake_read('alerting', partition, batch_id) FROM saved;

-- name: behind
-- Which of these partitions have batches that were not judged yet, or somebody who is to be tried again.
SELECT c.partition FROM engine_cursor c JOIN partition p USING (partition)
 WHERE c.partition = ANY(%(partitions)s)
   AND (p.head > c.batch_id OR EXISTS (
        SELECT FROM unjudged u WHERE u.patient_id %% 32 = c.partition AND u.tried_at <= %(tried_by)s))
 ORDER BY c.partition;

-- name: note_unjudged
-- Judging a patient failed; the earliest reading that was left out counts. What fails meanwhile puts off no other try.
INSERT INTO unjudged AS u (patient_id, since, failed_at, tried_at, failures, error)
VALUES (%(patient_id)s, %(since)s, %(now)s, %(now)s, 1, %(error)s)
ON CONFLICT (patient_id) DO UPDATE SET since = LEAST(u.since, EXCLUDED.since),
    failures = u.failures + 1, error = EXCLUDED.error
RETURNING failures;

-- name: unjudged_in
-- Who of a partition could not be judged.
SELECT patient_id FROM unjudged WHERE patient_id %% 32 = %(partition)s;

-- name: unjudged_due
-- Who of a partition is to be tried again, the longest waiting first.
SELECT patient_id, since, failures FROM unjudged
 WHERE patient_id %% 32 = %(partition)s AND tried_at <= %(tried_by)s ORDER BY tried_at, patient_id LIMIT %(most)s;

-- name: trying_again
-- This patient's turn has come; when the next one is.
UPDATE unjudged SET tried_at = %(now)s WHERE patient_id = %(patient_id)s;

-- name: judged_after_all
-- Judging a patient again has gone well.
DELETE FROM unjudged WHERE patient_id = %(patient_id)s;

-- name: read_log
-- The next batches of one partition, in commit order.
SELECT batch_id, received_at, kind, payload FROM intake_log
 WHERE partition = %(partition)s AND batch_id > %(after)s AND batch_id <= %(until)s
 ORDER BY batch_id LIMIT %(limit)s;

-- name: move_cursor
-- Move on; updates no row where another worker has taken the partition over.
UPDATE engine_cursor SET batch_id = %(batch_id)s WHERE partition = %(partition)s AND version = %(version)s;

-- name: replay_start
-- The batch behind which the last minutes of readings before a cursor begin.
SELECT min(batch_id) - 1 AS after, max(newest) AS newest
  FROM (SELECT batch_id, received_at, max(received_at) OVER () AS newest
          FROM (SELECT batch_id, received_at FROM intake_log
                 WHERE partition = %(partition)s AND batch_id <= %(cursor)s AND kind = 'readings'
                 ORDER BY batch_id DESC LIMIT 100000) AS recent) AS dated
 WHERE received_at >= newest - %(span)s;

-- name: limits_at
-- What the log had said by a place about each patient of a partition.
SELECT DISTINCT ON (patient_id) patient_id, said FROM engine_limits
 WHERE partition = %(partition)s AND batch_id <= %(batch_id)s ORDER BY patient_id, batch_id DESC;

-- name: save_limits
-- Keep what a batch says, with the cursor that moves past it.
INSERT INTO engine_limits (partition, patient_id, batch_id, said, said_at)
SELECT %(partition)s, t.patient_id, %(batch_id)s, t.said, %(said_at)s
  FROM unnest(%(patients)s::integer[], %(lines)s::text[]) AS t (patient_id, said);

-- name: forget_limits
-- Drop what no more held for these patients when a rebuild would begin.
DELETE FROM engine_limits l
 WHERE l.partition = %(partition)s AND l.patient_id = ANY(%(patients)s)
   AND l.batch_id < (SELECT max(o.batch_id) FROM engine_limits o
                      WHERE o.partition = l.partition AND o.patient_id = l.patient_id AND o.said_at <= %(before)s);

-- name: limits_stamp
-- Changes whenever what any patient is held to may have: the registry, an order that has run out, the day somewhere.
SELECT v.version, o.run_out, z.zones
  FROM care_registry_version v
 CROSS JOIN (SELECT count(*) AS run_out FROM limit_order WHERE revoked_at IS NULL AND valid_until <= %(now)s) o
 CROSS JOIN (SELECT array_agg(DISTINCT time_zone ORDER BY time_zone) AS zones FROM care_organisation) z;

-- name: lock_limits
-- One at a time compares what the log says with what it should.
SELECT pg_advisory_xact_lock(3, 0);

-- name: take_dirty
-- Patients whose own facts have changed, in the transaction that compares them.
DELETE FROM limits_dirty WHERE patient_id IN (
    SELECT patient_id FROM limits_dirty WHERE patient_id > %(after)s ORDER BY patient_id LIMIT %(most)s FOR UPDATE)
RETURNING patient_id;

-- name: mark_dirty
-- What a patient is held to could not be worked out: he is looked at again.
INSERT INTO limits_dirty (patient_id) VALUES (%(patient_id)s) ON CONFLICT (patient_id) DO NOTHING;

-- name: patients_to_hold
-- The next patients, of all or among some, with all that their limits are made of and what the log last said of them.
SELECT p.patient_id, p.born_on, p.special_groups, p.time_zone, b.spo2 AS baseline, s.said, o.orders
  FROM care_patient p
  LEFT JOIN baseline b USING (patient_id)
  LEFT JOIN limits_said s USING (patient_id)
 CROSS JOIN LATERAL (
    SELECT jsonb_object_agg(n.rule, jsonb_build_array(n.order_id, n.breach, n.clear_at)) AS orders
      FROM (SELECT DISTINCT ON (rule) rule, order_id, breach, clear_at FROM limit_order i
             WHERE i.patient_id = p.patient_id AND i.revoked_at IS NULL AND i.valid_until > %(now)s
             ORDER BY rule, order_id DESC) n) o
 WHERE p.patient_id > %(after)s AND (%(among)s::integer[] IS NULL OR p.patient_id = ANY(%(among)s))
 ORDER BY p.patient_id LIMIT %(most)s;

-- name: note_said
-- Remember what the log says of these patients, in the transaction that appends it.
INSERT INTO limits_said AS s (patient_id, said, said_at)
SELECT t.patient_id, t.said, %(now)s FROM unnest(%(patients)s::integer[], %(lines)s::text[]) AS t (patient_id, said)
    ON CONFLICT (patient_id) DO UPDATE SET said = excluded.said, said_at = excluded.said_at;

-- name: save_baseline
-- Keep a patient's personal baseline, and when it was looked at; one that is as it was changes nothing else.
WITH looked AS (
    INSERT INTO baseline_look (patient_id, looked_at) VALUES (%(patient_id)s, %(now)s)
        ON CONFLICT (patient_id) DO UPDATE SET looked_at = excluded.looked_at)
INSERT INTO baseline AS b (patient_id, spo2, computed_at) VALUES (%(patient_id)s, %(spo2)s, %(now)s)
    ON CONFLICT (patient_id) DO UPDATE SET spo2 = excluded.spo2, computed_at = excluded.computed_at
 WHERE b.spo2 IS DISTINCT FROM excluded.spo2;

-- name: baselines_due
-- Whose baseline was not looked at since an instant, and who has been heard since then: the longest waiting first.
SELECT p.patient_id FROM care_patient p LEFT JOIN baseline_look l USING (patient_id)
 WHERE COALESCE(l.looked_at, '-infinity') <= %(before)s
   AND EXISTS (SELECT FROM latest t WHERE t.patient_id = p.patient_id AND t.signal = %(code)s
                  AND t.received_at > COALESCE(l.looked_at, '-infinity') - %(margin)s)
 ORDER BY l.looked_at NULLS FIRST, p.patient_id LIMIT %(most)s;

-- name: actor
-- Who orders, by the key in the registry.
SELECT person_id, name, role FROM care_person WHERE key = %(key)s;

-- name: patient_of_key
-- A patient by the key in the registry.
SELECT patient_id FROM care_patient WHERE key = %(key)s;

-- name: insert_order
-- Note a doctor's limits for a patient.
INSERT INTO limit_order (patient_id, rule, breach, clear_at, reason, ordered_by, ordered_at, valid_until)
VALUES (%(patient_id)s, %(rule)s, %(breach)s, %(clear_at)s, %(reason)s, %(person_id)s, %(now)s, %(until)s)
RETURNING order_id;

-- name: lock_order
-- One order, to be revoked.
SELECT order_id, patient_id, valid_until, revoked_at FROM limit_order WHERE order_id = %(order_id)s FOR UPDATE;

-- name: revoke_order
-- It holds no more.
UPDATE limit_order SET revoked_by = %(person_id)s, revoked_at = %(now)s WHERE order_id = %(order_id)s;

-- name: orders_of
-- Every order there ever was for a patient, newest first, and by whom.
SELECT o.*, p.name AS ordered_by_name, p.name_en AS ordered_by_name_en, r.name AS revoked_by_name
  FROM limit_order o LEFT JOIN care_person p ON p.person_id = o.ordered_by
  LEFT JOIN care_person r ON r.person_id = o.revoked_by
 WHERE o.patient_id = %(patient_id)s ORDER BY o.order_id DESC;

-- name: limits_judged
-- What the engine holds a patient to, as of its place in the log; no row: to the profile's own limits.
SELECT said, said_at FROM engine_limits WHERE patient_id = %(patient_id)s AND partition = %(patient_id)s %% 32
 ORDER BY batch_id DESC LIMIT 1;

-- name: forget_unknown_rules
-- Conditions of rules that the profile has no more: nothing can clear or raise them.
WITH active AS (DELETE FROM active_rule WHERE rule <> ALL(%(rules)s) RETURNING patient_id, rule, family),
     waiting AS (DELETE FROM pending WHERE rule <> ALL(%(rules)s) RETURNING patient_id, rule)
SELECT patient_id, rule, family FROM active UNION ALL SELECT patient_id, rule, NULL FROM waiting;

-- name: single_history
-- A patient's measurements of one signal as stored by a given instant, the newest first: those by themselves (streams
-- too, where the signal is not judged as one), and the sessions of clips. No wearable's temperature is one. (The last
-- condition is that of the index sample_single, which it is read by.)
SELECT * FROM (
    SELECT s.measured_at, v.value, v.quality = 0 AS trusted, 'single' AS how
      FROM sample s LEFT JOIN care_device d USING (device_id) CROSS JOIN LATERAL (
           SELECT (ARRAY[s.spo2, s.pulse, s.perfusion_index, s.temperature, s.respiratory_rate, s.systolic, s.diastolic,
                         s.mean_arterial, s.glucose, s.rr_interval, s.weight, s.steps, s.battery])[%(code)s] AS value,
                  CASE WHEN s.quality IS NULL THEN 0 ELSE get_byte(s.quality, %(code)s - 1) >> 6 END AS quality) v
     WHERE s.patient_id = %(patient_id)s AND s.measured_at >= %(start)s AND s.received_at <= %(received_by)s
       AND v.value IS NOT NULL AND NOT COALESCE(d.wellness, false)
       AND (%(streams_too)s OR s.acquisition <> 0) AND (%(code)s <> 4 OR d.kind IS DISTINCT FROM 'wearable')
       AND (s.acquisition <> 0 OR s.temperature IS NOT NULL OR s.systolic IS NOT NULL OR s.diastolic IS NOT NULL
            OR s.mean_arterial IS NOT NULL OR s.glucose IS NOT NULL OR s.weight IS NOT NULL OR s.steps > 0)
    UNION ALL
    SELECT at, value, status = 'stable', status FROM spot_session
     WHERE patient_id = %(patient_id)s AND at >= %(start)s AND %(code)s = 1
    UNION ALL
    SELECT at, pulse, true, status FROM spot_session
     WHERE patient_id = %(patient_id)s AND at >= %(start)s AND %(code)s = 2 AND status = 'stable' AND pulse IS NOT NULL
) AS measured ORDER BY measured_at DESC LIMIT %(most)s;

-- name: steps_history
-- Steps that any device of the patient counted, as stored by a given instant, the newest first.
SELECT measured_at, steps FROM sample
 WHERE patient_id = %(patient_id)s AND measured_at >= %(start)s AND received_at <= %(received_by)s AND steps > 0
 ORDER BY measured_at DESC LIMIT %(most)s;

-- name: registry_version
-- Which registry this is: another number, and anything in it may have changed.
SELECT version FROM care_registry_version;

-- name: device_sets
-- Every registered device, as the rules over single measurements tell them apart.
SELECT device_id, wellness, wellness OR kind = 'wearable' AS worn, NOT wellness AND expected_every_s IS NULL AS clip
  FROM care_device;

-- name: clips_of
-- The clips that streamed SpO2 of a patient since an instant.
SELECT DISTINCT s.device_id FROM sample s JOIN care_device d USING (device_id)
 WHERE s.patient_id = %(patient_id)s AND s.measured_at >= %(start)s AND s.received_at <= %(received_by)s
   AND s.acquisition = 0 AND NOT d.wellness AND d.expected_every_s IS NULL
   AND (s.spo2 IS NOT NULL OR (s.quality IS NOT NULL AND get_byte(s.quality, 0) <> 255));

-- name: session_before
-- The newest session that ended for good before an instant.
SELECT started_at, at, value, pulse, status FROM spot_session
 WHERE patient_id = %(patient_id)s AND device_id = %(device_id)s AND at < %(before)s AND status <> 'open'
 ORDER BY at DESC LIMIT 1;

-- name: clip_samples
-- What a clip said of a patient after an instant, as stored by another; also that the finger is out.
SELECT measured_at, spo2, CASE WHEN quality IS NULL THEN 0 ELSE get_byte(quality, 0) END AS word,
       CASE WHEN quality IS NULL OR get_byte(quality, 1) < 64 THEN pulse END AS pulse
  FROM sample
 WHERE patient_id = %(patient_id)s AND device_id = %(device_id)s AND measured_at > %(after)s
   AND received_at <= %(received_by)s AND acquisition = 0
   AND (spo2 IS NOT NULL OR (quality IS NOT NULL AND get_byte(quality, 0) <> 255));

-- name: forget_sessions
-- Sessions that are made anew, and those nobody looks back to.
DELETE FROM spot_session WHERE patient_id = %(patient_id)s
   AND ((device_id = %(device_id)s AND started_at > %(after)s) OR at < %(kept_from)s);

-- name: save_session
-- One session of a clip.
INSERT INTO spot_session (patient_id, device_id, started_at, at, value, pulse, status)
VALUES (%(patient_id)s, %(device_id)s, %(started_at)s, %(at)s, %(value)s, %(pulse)s, %(status)s);

-- name: save_prompt
-- Note what a household is to be asked, once; not again within a time of the same.
INSERT INTO prompt (patient_id, reason, rule, at, asked_at, detail)
SELECT %(patient_id)s, %(reason)s, %(rule)s, %(at)s, %(now)s, %(detail)s
 WHERE NOT EXISTS (SELECT FROM prompt WHERE patient_id = %(patient_id)s AND reason = %(reason)s AND rule = %(rule)s
                      AND at > %(at)s - %(not_within)s AND at < %(at)s + %(not_within)s)
ON CONFLICT DO NOTHING;

-- name: asked_in_a_row
-- How often a household was asked for the same since an instant, and since a clip of the patient last came to rest.
SELECT count(*) AS times FROM prompt
 WHERE patient_id = %(patient_id)s AND reason = %(reason)s AND at < %(at)s AND at > %(since)s
   AND at > COALESCE((SELECT max(s.at) FROM spot_session s
                       WHERE s.patient_id = %(patient_id)s AND s.status = 'stable' AND s.at < %(at)s), '-infinity');

-- name: forget_prompts
-- What a household was asked long ago, with its notices.
WITH gone AS (DELETE FROM notice WHERE patient_id = %(patient_id)s AND created_at < %(before)s)
DELETE FROM prompt WHERE patient_id = %(patient_id)s AND asked_at < %(before)s;

-- name: stream_windows
-- What streams said of some signals in the time before each of some instants: good values of medical devices.
SELECT i.at, v.code, s.measured_at, v.value
  FROM unnest(%(instants)s::timestamptz[]) AS i (at)
  JOIN sample s ON s.patient_id = %(patient_id)s AND s.measured_at > i.at - %(span)s AND s.measured_at <= i.at
   AND s.received_at <= %(received_by)s AND s.acquisition = 0
  LEFT JOIN care_device d USING (device_id)
 CROSS JOIN LATERAL (VALUES (1, s.spo2), (2, s.pulse), (4, s.temperature), (5, s.respiratory_rate)) AS v (code, value)
 WHERE v.value IS NOT NULL AND (s.quality IS NULL OR get_byte(s.quality, v.code - 1) < 64)
   AND NOT COALESCE(d.wellness, false) AND (v.code <> 4 OR d.kind IS DISTINCT FROM 'wearable');

-- name: oldest_active
-- Since when any of some rules' conditions holds by single measurements.
SELECT min(since) AS since FROM active_rule
 WHERE patient_id = %(patient_id)s AND rule = ANY(%(rules)s) AND basis IN ('repeat', 'fever');

-- name: held_by_measurements
-- Of some patients (None: of a whole partition), the rules that hold by single measurements, and since when.
SELECT patient_id, rule, basis, since FROM active_rule
 WHERE patient_id %% 32 = %(partition)s AND basis IN ('repeat', 'fever')
   AND (%(patients)s::integer[] IS NULL OR patient_id = ANY(%(patients)s))
 ORDER BY patient_id, rule;

-- name: waiting_for_a_repeat
-- Of some patients, the rules of which a first measurement waits for the second.
SELECT patient_id, rule FROM pending WHERE patient_id = ANY(%(patients)s) AND basis = 'repeat' ORDER BY patient_id, rule;

-- name: spot_over
-- Until when what was measured singly says no more of a patient's rules: a stream has said since that they are over.
SELECT rule, at FROM spot_over WHERE patient_id = %(patient_id)s;

-- name: save_spot_over
-- A stream says that a rule's condition is over.
INSERT INTO spot_over (patient_id, rule, at) VALUES (%(patient_id)s, %(rule)s, %(at)s)
ON CONFLICT (patient_id, rule) DO UPDATE SET at = GREATEST(spot_over.at, EXCLUDED.at);

-- name: worn_hours
-- Hours of a wearer from the roll-ups: the median of their minutes' mean SpO2, what was covered, and steps if known.
-- Roll-ups tell no devices apart, so an hour in which a wellness wearable spoke of SpO2 too is left out.
SELECT h.* FROM (
SELECT date_trunc('hour', m.begins_at) AS begins_at,
       floor(percentile_disc(0.5) WITHIN GROUP (ORDER BY m.mean) * 100)::integer AS value,
       round(sum(m.covered_s) * 1000)::bigint AS covered_ms, round(sum(s.mean * s.good))::bigint AS steps
  FROM reading_minute m
  LEFT JOIN reading_minute s ON s.patient_id = m.patient_id AND s.begins_at = m.begins_at AND s.signal = 'steps'
       AND s.good > 0
 WHERE m.patient_id = %(patient_id)s AND m.signal = 'spo2' AND m.begins_at >= %(start)s AND m.begins_at < %(until)s
   AND m.covered_s > 0 AND m.mean IS NOT NULL
 GROUP BY 1) AS h
 WHERE NOT EXISTS (
    SELECT FROM sample w JOIN care_device d USING (device_id)
     WHERE w.patient_id = %(patient_id)s AND w.measured_at >= h.begins_at
       AND w.measured_at < h.begins_at + INTERVAL '1 hour' AND w.spo2 IS NOT NULL AND d.wellness);

-- name: known_baseline
-- A patient's personal baseline as last kept.
SELECT spo2 FROM baseline WHERE patient_id = %(patient_id)s;

-- name: times_of_families
-- When episodes of some families were open.
SELECT since, COALESCE(closed_at, %(now)s) AS until FROM episode
 WHERE patient_id = %(patient_id)s AND family = ANY(%(families)s) AND COALESCE(closed_at, 'infinity') >= %(start)s;

-- name: channel_history
-- A patient's values of one signal from streams, of some qualities, as stored by a given instant; in order of time.
SELECT s.measured_at, v.value, v.quality
  FROM sample s CROSS JOIN LATERAL (
       SELECT (ARRAY[s.spo2, s.pulse, s.perfusion_index, s.temperature, s.respiratory_rate, s.systolic, s.diastolic,
                     s.mean_arterial, s.glucose, s.rr_interval, s.weight, s.steps, s.battery])[%(code)s] AS value,
              CASE WHEN s.quality IS NULL THEN 0 ELSE get_byte(s.quality, %(code)s - 1) >> 6 END AS quality,
              CASE WHEN s.quality IS NULL THEN 0 ELSE get_byte(s.quality, %(code)s - 1) & 63 END AS reason) v
 WHERE s.patient_id = %(patient_id)s AND s.measured_at >= %(start)s AND s.received_at <= %(received_by)s
   AND s.acquisition = %(acquisition)s AND v.value IS NOT NULL AND v.quality = ANY(%(qualities)s)
   AND v.reason <> ALL(%(nobodys)s)
   AND %(wellness)s = EXISTS (SELECT FROM care_device d WHERE d.device_id = s.device_id AND d.wellness)
 ORDER BY s.measured_at;

-- name: received_before
-- Has a patient samples from an instant on that were received before another? One is enough.
SELECT 1 AS found FROM sample
 WHERE patient_id = %(patient_id)s AND measured_at >= %(start)s AND received_at < %(before)s LIMIT 1;

-- name: active_since
-- Since when a rule's condition holds, where it does.
SELECT since FROM active_rule WHERE patient_id = %(patient_id)s AND rule = %(rule)s AND basis = %(basis)s;

-- name: active_of_family
-- The rules of a family that hold for a patient.
SELECT rule, basis FROM active_rule WHERE patient_id = %(patient_id)s AND family = %(family)s;

-- name: phases_in_partition
-- Which sustained rules hold, and which wait, in one partition. (Grouped, as a plan made while few rules held would look for
-- each waiting one among all that hold.)
SELECT patient_id, rule, CASE WHEN bool_or(holds) THEN 'active' ELSE 'pending' END AS phase
  FROM (SELECT patient_id, rule, true AS holds FROM active_rule
         WHERE patient_id %% 32 = %(partition)s AND basis = 'sustained'
        UNION ALL
        SELECT patient_id, rule, false FROM pending WHERE patient_id %% 32 = %(partition)s AND basis = 'sustained') AS p
 GROUP BY patient_id, rule;

-- name: activate
-- Note that rules' conditions hold.
INSERT INTO active_rule (patient_id, rule, basis, family, since)
SELECT patient_id, rule, basis, family, since FROM jsonb_populate_recordset(NULL::active_rule, %(rows)s)
ON CONFLICT (patient_id, rule, basis) DO NOTHING;

-- name: deactivate
-- Note that a rule's condition is over; says whether it held.
DELETE FROM active_rule WHERE patient_id = %(patient_id)s AND rule = %(rule)s AND basis = %(basis)s RETURNING since;

-- name: family_holds
-- Does any rule of this family still hold for the patient?
SELECT EXISTS (SELECT FROM active_rule WHERE patient_id = %(patient_id)s AND family = %(family)s) AS holds;

-- name: save_pending
-- Conditions wait for time or a repeat.
INSERT INTO pending (patient_id, rule, basis, since, due_at, evidence)
SELECT patient_id, rule, basis, since, due_at, evidence FROM jsonb_populate_recordset(NULL::pending, %(rows)s)
ON CONFLICT (patient_id, rule, basis) DO UPDATE SET since = EXCLUDED.since, due_at = EXCLUDED.due_at,
    evidence = EXCLUDED.evidence WHERE pending.since <> EXCLUDED.since;

-- name: drop_pending
-- Conditions wait no longer: they were raised, or good data ended them.
DELETE FROM pending p USING jsonb_populate_recordset(NULL::pending, %(rows)s) r
 WHERE p.patient_id = r.patient_id AND p.rule = r.rule AND p.basis = r.basis;

-- name: rechecks
-- Rules whose alarm was closed as false while they held, and that will be looked at again.
SELECT patient_id, rule FROM pending WHERE patient_id = ANY(%(patients)s) AND basis = 'recheck';

-- name: drop_rechecks
-- The condition ended: nothing of this family needs another look.
DELETE FROM pending WHERE patient_id = %(patient_id)s AND rule = ANY(%(rules)s) AND basis = 'recheck';

-- name: overdue_pending
-- Conditions whose wait is over. One that builds up from a stream waits from the newest good value on that its rule looks
-- at: of its signal, and no wearable's where it is a medical device's. A re-check waits until the patient has been measured
-- again since.
SELECT p.patient_id, p.rule, p.basis
  FROM pending p
 WHERE p.due_at <= %(now)s
   AND (p.basis <> 'sustained' OR NOT EXISTS (
        SELECT FROM latest l LEFT JOIN care_device d USING (device_id)
          JOIN unnest(%(rules)s::text[], %(codes)s::smallint[], %(worn)s::boolean[]) AS r (rule, code, worn) ON r.rule = p.rule
         WHERE l.patient_id = p.patient_id AND l.signal = r.code AND COALESCE(d.wellness, false) = r.worn
           AND l.good_received_at > %(now)s - %(lost_after)s))
   AND (p.basis <> 'recheck' OR EXISTS (
        SELECT FROM latest l WHERE l.patient_id = p.patient_id AND l.signal <> 13 AND l.good_received_at > p.since))
 ORDER BY p.due_at LIMIT 500;

-- name: take_pending
-- Take one waiting condition, if it still waits.
DELETE FROM pending WHERE patient_id = %(patient_id)s AND rule = %(rule)s AND basis = %(basis)s AND due_at <= %(now)s
RETURNING since, due_at, evidence;

-- name: patient
-- What raising and paging needs to know of one patient. Who is under 18 is a child, whatever the registry says.
SELECT patient_id, initials, bed, risk_colour, service_tier,
       CASE WHEN born_on > %(now)s::timestamptz::date - INTERVAL '18 years'
             AND NOT special_groups && ARRAY['infant', 'child'] THEN special_groups || 'child'::text
            ELSE special_groups END AS special_groups, born_on, organisation_id,
       household_phone, family_doctor_id, time_zone, NULL AS subject, NULL AS gateway_id,
       (SELECT jsonb_agg(jsonb_build_array(h.name, h.channels) ORDER BY h.place) FROM care_household h
         WHERE h.patient_id = p.patient_id) AS household
  FROM care_patient p WHERE patient_id = %(patient_id)s;

-- name: patients
-- The same, of several.
SELECT patient_id, initials, bed, risk_colour, service_tier,
       CASE WHEN born_on > %(now)s::timestamptz::date - INTERVAL '18 years'
             AND NOT special_groups && ARRAY['infant', 'child'] THEN special_groups || 'child'::text
            ELSE special_groups END AS special_groups, born_on, organisation_id,
       household_phone, family_doctor_id, time_zone, NULL AS subject, NULL AS gateway_id,
       (SELECT jsonb_agg(jsonb_build_array(h.name, h.channels) ORDER BY h.place) FROM care_household h
         WHERE h.patient_id = p.patient_id) AS household
  FROM care_patient p WHERE patient_id = ANY(%(patients)s);

-- name: lock_patients
-- One writer at a time for each of these patients' episodes; in one order, so that two who want the same never wait for
-- each other.
SELECT pg_advisory_xact_lock(1, patient_id) FROM unnest(%(patients)s::integer[]) AS p (patient_id);

-- name: lock_patient
-- One writer at a time for one patient's episodes.
SELECT pg_advisory_xact_lock(1, %(patient_id)s);

-- name: lock_followed
-- The same, of whom a follow-up is.
SELECT pg_advisory_xact_lock(1, patient_id) FROM care_follow_up WHERE follow_up_id = %(follow_up_id)s;

-- name: open_episodes_of
-- The open episode of each of these patients' families.
SELECT episode_id, patient_id, family, rule, priority, emergency, tier3, technical, condition, state, step, service_tier,
       alarmed_at, due_at,
       NOT technical AND EXISTS (SELECT FROM referral r
                                  WHERE r.patient_id = e.patient_id AND r.stage <> 'ended') AS referral,
       (condition = 'cleared' AND COALESCE(cleared_at, raised_at) <= %(now)s::timestamptz - INTERVAL '24 hours'
        AND (rule = 'SYMPTOM' OR EXISTS (SELECT FROM latest l WHERE l.patient_id = e.patient_id AND l.signal <> 13
                       AND l.good_received_at >= %(now)s::timestamptz - INTERVAL '24 hours')))
       OR NOT EXISTS (SELECT FROM care_binding b WHERE b.patient_id = e.patient_id AND b.valid_from <= %(now)s
                         AND (b.valid_until IS NULL OR b.valid_until > %(now)s)) AS settled
  FROM episode e WHERE patient_id = ANY(%(patients)s) AND family = ANY(%(families)s) AND state <> 'closed' FOR UPDATE;

-- name: insert_episodes
-- Open episodes, each of another subject and family.
INSERT INTO episode (patient_id, subject, organisation_id, gateway_id, family, technical, rule, priority, emergency, tier3, condition, state, step,
    service_tier, since, raised_at, detected_at, alarmed_at, due_at, evidence, profile_hash)
SELECT patient_id, subject, organisation_id, gateway_id, family, technical, rule, priority, emergency, tier3, condition, state, step,
    service_tier, since, raised_at, detected_at, alarmed_at, due_at, evidence, profile_hash
  FROM jsonb_populate_recordset(NULL::episode, %(rows)s)
RETURNING episode_id, patient_id, subject, family;

-- name: count_raise
-- The same or a lesser rule spoke again: the evidence grows, nobody is paged. What is past changes no condition.
UPDATE episode SET raise_count = raise_count + 1, evidence = evidence || %(evidence)s,
    condition = CASE WHEN %(past)s THEN condition ELSE 'present' END,
    cleared_at = CASE WHEN %(past)s THEN cleared_at END
 WHERE episode_id = %(episode_id)s;

-- name: worsen
-- A higher rank, or a new raise after it was over: the episode's rule, priority and evidence become the new ones.
UPDATE episode SET raise_count = raise_count + 1, condition = 'present', cleared_at = NULL, rule = %(rule)s,
    priority = %(priority)s, emergency = %(emergency)s, tier3 = tier3 OR %(tier3)s, raised_at = %(raised_at)s,
    detected_at = %(now)s, evidence = %(evidence)s, profile_hash = %(profile_hash)s
 WHERE episode_id = %(episode_id)s;

-- name: lock_episode
-- One episode for an act.
SELECT episode_id, patient_id, subject, family, rule, priority, emergency, tier3, technical, condition, state, step,
       service_tier, since, alarmed_at, due_at,
       NOT technical AND EXISTS (SELECT FROM referral r
                                  WHERE r.patient_id = e.patient_id AND r.stage <> 'ended') AS referral,
       (condition = 'cleared' AND COALESCE(cleared_at, raised_at) <= %(now)s::timestamptz - INTERVAL '24 hours'
        AND (rule = 'SYMPTOM' OR EXISTS (SELECT FROM latest l WHERE l.patient_id = e.patient_id AND l.signal <> 13
                       AND l.good_received_at >= %(now)s::timestamptz - INTERVAL '24 hours')))
       OR NOT EXISTS (SELECT FROM care_binding b WHERE b.patient_id = e.patient_id AND b.valid_from <= %(now)s
                         AND (b.valid_until IS NULL OR b.valid_until > %(now)s)) AS settled
  FROM episode e WHERE episode_id = %(episode_id)s FOR UPDATE;

-- name: standing
-- Where an episode stands, without locking it.
SELECT patient_id, state, step, service_tier, tier3, technical, alarmed_at, due_at,
       NOT technical AND EXISTS (SELECT FROM referral r
                                  WHERE r.patient_id = e.patient_id AND r.stage <> 'ended') AS referral,
       (condition = 'cleared' AND COALESCE(cleared_at, raised_at) <= %(now)s::timestamptz - INTERVAL '24 hours'
        AND (rule = 'SYMPTOM' OR EXISTS (SELECT FROM latest l WHERE l.patient_id = e.patient_id AND l.signal <> 13
                       AND l.good_received_at >= %(now)s::timestamptz - INTERVAL '24 hours')))
       OR NOT EXISTS (SELECT FROM care_binding b WHERE b.patient_id = e.patient_id AND b.valid_from <= %(now)s
                         AND (b.valid_until IS NULL OR b.valid_until > %(now)s)) AS settled
  FROM episode e WHERE episode_id = %(episode_id)s;

-- name: due_episodes
-- Episodes whose deadline has passed, oldest first.
SELECT episode_id FROM episode WHERE state <> 'closed' AND due_at <= %(now)s ORDER BY due_at LIMIT %(limit)s;

-- name: claim_due_episodes
-- Those of them that are still due and no other worker has.
SELECT episode_id, patient_id, subject, family, rule, priority, emergency, tier3, technical, condition, state, step,
       service_tier, since, alarmed_at, due_at,
       NOT technical AND EXISTS (SELECT FROM referral r
                                  WHERE r.patient_id = e.patient_id AND r.stage <> 'ended') AS referral,
       (condition = 'cleared' AND COALESCE(cleared_at, raised_at) <= %(now)s::timestamptz - INTERVAL '24 hours'
        AND (rule = 'SYMPTOM' OR EXISTS (SELECT FROM latest l WHERE l.patient_id = e.patient_id AND l.signal <> 13
                       AND l.good_received_at >= %(now)s::timestamptz - INTERVAL '24 hours')))
       OR NOT EXISTS (SELECT FROM care_binding b WHERE b.patient_id = e.patient_id AND b.valid_from <= %(now)s
                         AND (b.valid_until IS NULL OR b.valid_until > %(now)s)) AS settled
  FROM episode e WHERE episode_id = ANY(%(episodes)s) AND state <> 'closed' AND due_at <= %(now)s
 ORDER BY due_at, episode_id
   FOR UPDATE SKIP LOCKED;

-- name: move_episodes
-- Carry out moves; `closed_by` is who closed it, nobody where a technical cause ended or nothing closes.
UPDATE episode e SET state = r.state, step = r.step, service_tier = r.service_tier, tier3 = r.tier3,
    alarmed_at = r.alarmed_at, due_at = r.due_at, closed_by = r.closed_by, closed_at = r.closed_at
  FROM jsonb_populate_recordset(NULL::episode, %(rows)s) AS r WHERE e.episode_id = r.episode_id;

-- name: undecided_signs
-- Contacts on whose warning signs nobody has decided in time, the longest overdue first.
SELECT contact_id, patient_id, decide_by FROM care_undecided_sign WHERE decide_by <= %(now)s
 ORDER BY decide_by LIMIT %(limit)s;

-- name: count_from
-- An episode that has just begun to ring, and whose first deadline passed before.
UPDATE episode SET due_at = LEAST(due_at, %(due_at)s)
 WHERE episode_id = %(episode_id)s AND state = 'unack' AND step = 0 AND alarmed_at = %(now)s;

-- name: mark_acknowledged
-- Who took responsibility, and when.
UPDATE episode SET acknowledged_by = %(person_id)s, acknowledged_at = %(now)s WHERE episode_id = %(episode_id)s;

-- name: mark_disposition
-- What was decided.
UPDATE episode SET disposition = %(disposition)s WHERE episode_id = %(episode_id)s;

-- name: set_condition
-- The condition as last known; the state of escalation is another matter.
UPDATE episode SET condition = %(condition)s, cleared_at = %(cleared_at)s
 WHERE patient_id = %(patient_id)s AND family = %(family)s AND state <> 'closed' AND condition <> %(condition)s
RETURNING episode_id;

-- name: insert_events
-- Append to episodes' histories; a key that is there already adds nothing.
INSERT INTO episode_event (episode_id, at, kind, actor_id, channel, from_state, to_state, detail, key)
SELECT episode_id, at, kind, actor_id, channel, from_state, to_state, detail, key
  FROM jsonb_populate_recordset(NULL::episode_event, %(rows)s)
ON CONFLICT (key) DO NOTHING RETURNING event_id, episode_id, kind, key;

-- name: event_exists
-- Was this event recorded before?
SELECT EXISTS (SELECT FROM episode_event WHERE key = %(key)s) AS recorded;

-- name: recorded_keys
-- Which of these events were recorded before?
SELECT key FROM episode_event WHERE key = ANY(%(keys)s);

-- name: tell_screens
-- Say to whoever listens that something is new about these episodes.
SELECT pg_notify('episode', episode_id::text) FROM unnest(%(episodes)s::bigint[]) AS e (episode_id);

-- name: told_of_family
-- What was told of a family's conditions in episodes that were open at an instant or later, and where they ended.
SELECT e.episode_id, e.closed_at, v.kind, v.detail FROM episode e JOIN episode_event v USING (episode_id)
 WHERE e.patient_id = %(patient_id)s AND e.family = %(family)s AND COALESCE(e.closed_at, 'infinity') >= %(since)s
   AND v.kind IN ('raised', 'raised_anew', 'raised_again', 'cleared')
 ORDER BY v.event_id;

-- name: insert_notices
-- Messages, each to one recipient over one channel, in the transaction that decided them.
INSERT INTO notice (episode_id, key, recipient_id, recipient, audience, service_tier, step, channel_url, title, body, created_at,
    due_at, sent_at, outcome, may_wait, urgency, is_alarm, unless_answered)
SELECT episode_id, key, recipient_id, recipient, audience, service_tier, step, channel_url, title, body, created_at,
    due_at, sent_at, outcome, may_wait, urgency, is_alarm, unless_answered
  FROM jsonb_populate_recordset(NULL::notice, %(rows)s)
ON CONFLICT (key) DO NOTHING RETURNING notice_id;

-- name: ask_household
-- One thing asked of a household over one channel, once, however many rules ask it.
INSERT INTO notice (patient_id, good_until, key, recipient, audience, service_tier, step, channel_url, title, body,
    created_at, due_at, outcome)
VALUES (%(patient_id)s, %(good_until)s, %(key)s, %(recipient)s, 'household', 0, 0, %(channel_url)s, %(title)s, %(body)s,
    %(now)s, %(due_at)s, %(outcome)s)
ON CONFLICT (key) DO NOTHING;

-- name: too_late
-- What households were to be asked and has no sense any more: it is not sent.
UPDATE notice SET due_at = NULL, outcome = %(outcome)s
 WHERE due_at <= %(now)s AND good_until <= %(now)s RETURNING key;

-- name: answered_meanwhile
-- The next contacts of households whose alarm somebody has answered, or that rings anew by notices of its own.
UPDATE notice n SET due_at = NULL, outcome = %(outcome)s FROM episode e
 WHERE n.unless_answered AND n.due_at <= %(now)s AND n.attempts = 0 AND e.episode_id = n.episode_id
   AND (e.state NOT IN ('unack', 't3_unack', 'exhausted') OR e.acknowledged_at >= n.created_at
        OR e.alarmed_at > n.created_at);

-- name: claim_notices
-- Lease due notices, the most urgent first, of these what was never tried, and people on duty (one of whom can answer for
-- many) before households; what households are asked only when nothing of an episode is due. Who crashes now leaves them
-- due again when the lease is over, under the same key.
UPDATE notice n SET due_at = %(lease_until)s, attempts = n.attempts + 1
  FROM (SELECT q.notice_id, e.priority, COALESCE(e.state <> 'closed', q.gathered IS NULL OR EXISTS (
                    SELECT FROM notice h JOIN episode o USING (episode_id)
                     WHERE h.gathered_into = q.notice_id AND o.state <> 'closed')) AS is_open,
               COALESCE(e.state IN ('unack', 'ack', 't3_unack', 'exhausted') AND e.alarmed_at <= q.created_at,
                        q.page_test_id IS NOT NULL) AS is_answerable,
               q.attempts > 0 AND EXISTS (
                    SELECT FROM notice o WHERE o.episode_id = q.episode_id AND o.recipient_id = q.recipient_id
                       AND o.created_at = q.created_at AND o.sent_at IS NOT NULL) AS is_told
          FROM notice q LEFT JOIN episode e USING (episode_id)
         WHERE q.due_at IS NOT NULL AND q.due_at <= %(now)s
           AND (num_nonnulls(q.episode_id, q.gathered) = 1 OR NOT EXISTS (
                SELECT FROM notice o WHERE num_nonnulls(o.episode_id, o.gathered) = 1 AND o.due_at <= %(now)s))
         ORDER BY q.urgency, (q.attempts > 0), (q.recipient_id IS NULL), q.due_at
         LIMIT %(limit)s FOR UPDATE OF q SKIP LOCKED) AS due
 WHERE n.notice_id = due.notice_id
RETURNING n.notice_id, n.episode_id, n.key, n.recipient, n.channel_url, n.title, n.body, n.attempts, due.is_open,
          n.recipient_id AS person_id, n.page_test_id, n.created_at, due.priority, due.is_answerable,
          due.is_told;

-- name: next_channels
-- The channels before these have refused: they go out now.
UPDATE notice SET due_at = %(now)s, outcome = '' WHERE key = ANY(%(keys)s) AND outcome = %(reserve)s;

-- name: record_deliveries
-- The outcomes of attempts; due_at NULL where it is done.
UPDATE notice n SET due_at = r.due_at, sent_at = r.sent_at, outcome = r.outcome
  FROM jsonb_populate_recordset(NULL::notice, %(rows)s) AS r WHERE n.notice_id = r.notice_id;

-- name: silent_devices
-- Continuous devices bound now whose last good value is long ago, or that never had one since they were first heard
-- or bound. An oximeter is judged by its SpO2: a good perfusion index is nobody's oxygen. Who is said to be away or in
-- hospital is expected again from when he is back.
SELECT b.patient_id, b.device_key, b.device_id, max(l.good_received_at) AS good_at, max(l.received_at) AS heard_at,
       GREATEST(COALESCE(max(l.good_received_at), min(l.first_received_at), GREATEST(b.valid_from, b.entered_at)),
                x.expected_from)
           AS silent_since, p.service_tier, p.organisation_id, max(l.good_measured_at) AS good_measured_at,
       EXISTS (SELECT FROM episode e WHERE e.patient_id = b.patient_id AND NOT e.technical AND e.state <> 'closed')
           AS watched
  FROM care_binding b JOIN care_patient p USING (patient_id) LEFT JOIN care_expected_from x USING (patient_id)
  LEFT JOIN latest l ON l.patient_id = b.patient_id AND l.device_id = b.device_id
       AND CASE WHEN b.kind = 'oximeter' THEN l.signal = 1 ELSE l.signal <> 13 END
 WHERE b.expected_every_s IS NOT NULL
   AND b.valid_from <= %(now)s AND (b.valid_until IS NULL OR b.valid_until > %(now)s)
 GROUP BY b.patient_id, b.device_key, b.device_id, b.valid_from, b.entered_at, p.service_tier, p.organisation_id,
          x.expected_from
HAVING GREATEST(COALESCE(max(l.good_received_at), min(l.first_received_at), GREATEST(b.valid_from, b.entered_at)),
                x.expected_from)
       <= %(now)s - %(low_after)s;

-- name: no_data_episodes
-- Open episodes of silence whose patient sends good values again on every device that is expected to.
SELECT e.episode_id, e.patient_id FROM episode e
 WHERE e.family = 'no_data' AND e.state <> 'closed' AND e.patient_id <> ALL(%(silent)s);

-- name: unknown_conditions
-- Mark what can not be known while a patient is silent, and what can again.
UPDATE episode e SET condition = CASE WHEN e.patient_id = ANY(%(silent)s) THEN 'unknown' ELSE 'present' END
 WHERE e.family = 'spo2_low' AND e.state <> 'closed'
   AND ((e.patient_id = ANY(%(silent)s) AND e.condition = 'present')
     OR (e.patient_id <> ALL(%(silent)s) AND e.condition = 'unknown'))
RETURNING e.episode_id;

-- name: worst
-- The lowest and highest value of a signal in each of some windows, of some qualities, for the evidence, in the order of
-- their places. All windows lie between the first and the last instant, so that only those days are looked at.
SELECT found.lowest, found.highest
  FROM jsonb_to_recordset(%(rows)s) AS w (place integer, patient_id integer, code integer, start timestamptz,
                                          until timestamptz, qualities integer[])
 CROSS JOIN LATERAL (
       SELECT min(v.value) AS lowest, max(v.value) AS highest
         FROM sample s CROSS JOIN LATERAL (
              SELECT (ARRAY[s.spo2, s.pulse, s.perfusion_index, s.temperature, s.respiratory_rate, s.systolic, s.diastolic,
                            s.mean_arterial, s.glucose, s.rr_interval, s.weight, s.steps, s.battery])[w.code] AS value,
                     CASE WHEN s.quality IS NULL THEN 0 ELSE get_byte(s.quality, w.code - 1) >> 6 END AS quality) v
        WHERE s.patient_id = w.patient_id AND s.measured_at BETWEEN w.start AND w.until
          AND s.measured_at BETWEEN %(first)s AND %(last)s
          AND v.value IS NOT NULL AND v.quality = ANY(w.qualities)) found
 ORDER BY w.place;

-- name: night_spo2
-- A patient's good SpO2 values of one night, as (Unix ms int8, value int2) back to back in order of time, of the device
-- that has most of them; a medical device's before a wearable's.
SELECT d.device_key,
       string_agg(int8send((extract(epoch FROM s.measured_at) * 1000)::bigint) || int2send(s.spo2), ''::bytea
                  ORDER BY s.measured_at) AS samples
  FROM any_sample s JOIN care_device d USING (device_id)
 WHERE s.patient_id = %(patient_id)s AND s.measured_at >= %(begins_at)s AND s.measured_at < %(ends_at)s
   AND s.acquisition = %(acquisition)s AND s.spo2 IS NOT NULL
   AND (s.quality IS NULL OR get_byte(s.quality, 0) < 64)
 GROUP BY d.device_key, d.wellness
 ORDER BY d.wellness, count(*) DESC, d.device_key LIMIT 1;

-- name: patient_by_key
-- Who a patient is, by the key that people use.
SELECT patient_id, key, initials, bed, time_zone FROM care_patient WHERE key = %(key)s;

-- name: breathers
-- Of these patients, whose beats have reached the end of a window that was not derived; and how far each was derived.
SELECT p.patient_id, d.window_end, b.since AS left_since,
       COALESCE(bool_or(d.window_end IS NULL OR l.measured_at >= d.window_end + %(every)s), false) AS due
  FROM unnest(%(patients)s::int[]) AS p (patient_id)
  LEFT JOIN LATERAL (SELECT max(window_end) AS window_end FROM derived_respiration r
                      WHERE r.patient_id = p.patient_id AND r.window_end >= %(since)s) d ON true
  LEFT JOIN breathing_left b ON b.patient_id = p.patient_id
  LEFT JOIN latest l ON l.patient_id = p.patient_id AND l.signal = %(code)s
 GROUP BY p.patient_id, d.window_end, b.since ORDER BY p.patient_id;

-- name: leave_breathing
-- More windows of a patient are to be derived than a turn takes: the next goes on, as far back as the oldest.
INSERT INTO breathing_left AS b (patient_id, since) VALUES (%(patient_id)s, %(since)s)
ON CONFLICT (patient_id) DO UPDATE SET since = LEAST(b.since, EXCLUDED.since);

-- name: breathing_done
-- All windows of a patient are derived.
DELETE FROM breathing_left WHERE patient_id = %(patient_id)s;

-- name: undone_windows
-- Windows of breathing that end since an instant, which a device's beats have passed, and of which beats have come since
-- they were last derived; the newest first.
WITH heard AS (
    SELECT device_id, max(measured_at) AS newest_at FROM sample
     WHERE patient_id = %(patient_id)s AND measured_at >= %(since)s AND received_at <= %(received_by)s
       AND rr_interval IS NOT NULL
     GROUP BY device_id)
SELECT h.device_id, w.window_end
  FROM heard h
 CROSS JOIN LATERAL generate_series(%(since)s::timestamptz, h.newest_at, %(every)s) AS w (window_end)
  LEFT JOIN derived_respiration d ON d.patient_id = %(patient_id)s AND d.device_id = h.device_id
                                 AND d.window_end = w.window_end
 WHERE EXISTS (
    SELECT FROM sample s
     WHERE s.patient_id = %(patient_id)s AND s.device_id = h.device_id AND s.rr_interval IS NOT NULL
       AND s.measured_at > w.window_end - %(window)s AND s.measured_at <= w.window_end
       AND s.received_at <= %(received_by)s AND s.received_at > COALESCE(d.received_by, '-infinity'))
 ORDER BY w.window_end DESC, h.device_id LIMIT %(most)s;

-- name: beats
-- A device's good intervals between beats in a stretch of time, as stored by a given instant; in order of time.
SELECT measured_at, rr_interval FROM sample
 WHERE patient_id = %(patient_id)s AND device_id = %(device_id)s AND measured_at > %(start)s AND measured_at <= %(until)s
   AND received_at <= %(received_by)s AND rr_interval IS NOT NULL AND (quality IS NULL OR get_byte(quality, 9) < 64)
 ORDER BY measured_at;

-- name: save_respiration
-- Keep what a window gave, in place of what fewer of its beats had given.
INSERT INTO derived_respiration (patient_id, device_id, window_end, rate, quality, method, received_by)
VALUES (%(patient_id)s, %(device_id)s, %(window_end)s, %(rate)s, %(quality)s, %(method)s, %(received_by)s)
ON CONFLICT (patient_id, device_id, window_end) DO UPDATE SET rate = EXCLUDED.rate, quality = EXCLUDED.quality,
    method = EXCLUDED.method, received_by = EXCLUDED.received_by;

-- name: forget_respiration
-- Keep derived rates no longer than is stated.
DELETE FROM derived_respiration WHERE patient_id = %(patient_id)s AND window_end < %(before)s;

-- name: breathing_counts
-- Derived rates of medical devices that may stand as counts: from windows that share no beat.
SELECT r.window_end, max(r.rate) AS rate FROM derived_respiration r JOIN care_device d USING (device_id)
 WHERE r.patient_id = %(patient_id)s AND r.window_end >= %(start)s AND r.received_by <= %(received_by)s
   AND r.rate IS NOT NULL AND NOT d.wellness
   AND extract(epoch FROM r.window_end)::bigint %% %(apart_s)s = 0
 GROUP BY r.window_end ORDER BY r.window_end;

-- name: organisation_of_key
-- An organisation by the key in the registry.
SELECT organisation_id FROM care_organisation WHERE key = %(key)s;

-- name: patients_of_panel
-- The patients of an organisation and of those below it.
SELECT p.patient_id FROM care_patient p
  JOIN care_organisation_ancestor a USING (organisation_id)
  JOIN care_organisation o ON o.organisation_id = a.ancestor_id
 WHERE o.key = %(key)s ORDER BY p.patient_id;

-- name: patient_to_rehearse
-- What a patient's limits are made of, as far as it has no history.
SELECT p.key, p.born_on, p.special_groups, p.time_zone, p.risk_colour, p.service_tier, b.spo2 AS baseline, s.said
  FROM care_patient p LEFT JOIN baseline b USING (patient_id) LEFT JOIN limits_said s USING (patient_id)
 WHERE p.patient_id = %(patient_id)s;

-- name: orders_as_they_stood
-- Every order there ever was for a patient, and until when it held.
SELECT order_id, rule, breach, clear_at, ordered_at, LEAST(valid_until, revoked_at) AS ends_at
  FROM limit_order WHERE patient_id = %(patient_id)s ORDER BY order_id;

-- name: rehearsed_samples
-- A patient's samples of a stretch of time as rows of one length, no value as -32768; without streams, what is measured
-- singly is there all the same.
COPY (
    SELECT measured_at, device_id, acquisition,
           COALESCE(spo2, (-32768)::smallint), COALESCE(pulse, (-32768)::smallint),
           COALESCE(perfusion_index, (-32768)::smallint), COALESCE(temperature, (-32768)::smallint),
           COALESCE(respiratory_rate, (-32768)::smallint), COALESCE(systolic, (-32768)::smallint),
           COALESCE(diastolic, (-32768)::smallint), COALESCE(mean_arterial, (-32768)::smallint),
           COALESCE(glucose, (-32768)::smallint), COALESCE(rr_interval, (-32768)::smallint),
           COALESCE(weight, (-32768)::smallint), COALESCE(steps, (-32768)::smallint),
           COALESCE(battery, (-32768)::smallint),
           COALESCE(quality, '\x00000000000000000000000000'::bytea)
      FROM sample
     WHERE patient_id = %(patient_id)s AND measured_at >= %(begins_at)s AND measured_at < %(ends_at)s
       AND (%(streams_too)s OR acquisition <> 0 OR temperature IS NOT NULL OR systolic IS NOT NULL
            OR diastolic IS NOT NULL OR mean_arterial IS NOT NULL OR glucose IS NOT NULL OR weight IS NOT NULL)
     ORDER BY measured_at, device_id
) TO STDOUT (FORMAT binary);

-- name: episodes_as_decided
-- A patient's episodes that were open in a time, each with what people decided about it, in order.
SELECT e.episode_id, e.family, e.since, e.closed_at,
       (SELECT jsonb_agg(jsonb_build_array(v.at, v.detail ->> 'act') ORDER BY v.event_id)
          FROM episode_event v WHERE v.episode_id = e.episode_id AND v.kind = 'decided') AS decisions
  FROM episode e
 WHERE e.patient_id = %(patient_id)s AND NOT e.technical AND e.since < %(ends_at)s
   AND COALESCE(e.closed_at, 'infinity') >= %(begins_at)s
 ORDER BY e.episode_id;

-- name: pages_as_recorded
-- How often a patient's physiological alarms were raised, or raised anew, in a time; of what was over before it was
-- known nobody was paged.
SELECT count(*) AS pages FROM episode e JOIN episode_event v USING (episode_id)
 WHERE e.patient_id = %(patient_id)s AND NOT e.technical AND v.kind IN ('raised', 'raised_anew')
   AND COALESCE(v.detail ->> 'past', 'false') = 'false'
   AND COALESCE((v.detail ->> 'raised_at')::timestamptz, v.at) >= %(begins_at)s
   AND COALESCE((v.detail ->> 'raised_at')::timestamptz, v.at) < %(ends_at)s;

-- name: watch
-- What should have happened by now: the oldest deadline, notice that was never tried, and batch that was not judged.
SELECT LEAST((SELECT min(due_at) FROM episode WHERE state <> 'closed' AND due_at <= %(now)s),
             (SELECT min(due_at) FROM referral WHERE stage <> 'ended' AND due_at <= %(now)s)) AS deadline_due_at,
       (SELECT min(due_at) FROM notice WHERE due_at <= %(now)s AND attempts = 0) AS notice_due_at,
       (SELECT min(waiting.said_at) FROM engine_cursor c CROSS JOIN LATERAL (
            SELECT COALESCE(l.said_at, l.received_at) AS said_at FROM intake_log l
             WHERE l.partition = c.partition AND l.batch_id > c.batch_id ORDER BY l.batch_id LIMIT 1) waiting)
           AS unjudged_since;

-- name: episodes_in_time
-- A patient's open episodes whose condition was there in some part of a time (NULL: until now), for an act on them.
SELECT episode_id, patient_id, subject, family, rule, priority, emergency, tier3, technical, condition, state, step,
       service_tier, since, alarmed_at, due_at, cleared_at,
       NOT technical AND EXISTS (SELECT FROM referral r
                                  WHERE r.patient_id = e.patient_id AND r.stage <> 'ended') AS referral, false AS settled
  FROM episode e
 WHERE patient_id = %(patient_id)s AND NOT technical AND state <> 'closed'
   AND since < COALESCE(%(until)s::timestamptz, 'infinity') AND COALESCE(cleared_at, 'infinity') >= %(since)s
 ORDER BY episode_id FOR UPDATE;

-- name: device_spoke
-- Whether a device said anything of some signals about a patient in a time.
SELECT EXISTS (
    SELECT FROM sample s
     WHERE s.patient_id = %(patient_id)s AND s.device_id = %(device_id)s
       AND s.measured_at >= %(start)s AND s.measured_at < COALESCE(%(until)s::timestamptz, 'infinity')
       AND EXISTS (SELECT FROM unnest(%(codes)s::integer[]) AS c (code)
                    WHERE (ARRAY[s.spo2, s.pulse, s.perfusion_index, s.temperature, s.respiratory_rate, s.systolic,
                                 s.diastolic, s.mean_arterial, s.glucose, s.rr_interval, s.weight, s.steps, s.battery]
                          )[c.code] IS NOT NULL)) AS spoke;

-- name: signals_of_device
-- What a device has ever said about a patient, as codes of signals.
SELECT signal FROM latest WHERE patient_id = %(patient_id)s AND device_id = %(device_id)s ORDER BY signal;

-- name: drop_waits
-- What was building up or waits for a repeat since some part of a time, by readings that were another's.
DELETE FROM pending
 WHERE patient_id = %(patient_id)s AND rule = ANY(%(rules)s) AND basis IN ('sustained', 'repeat')
   AND since >= %(since)s AND since < COALESCE(%(until)s::timestamptz, 'infinity');

-- name: forget_conditions
-- What held by them, where no alarm of the family is open: it is judged again from what is left.
DELETE FROM active_rule a
 WHERE patient_id = %(patient_id)s AND rule = ANY(%(rules)s) AND basis IN ('sustained', 'repeat', 'fever')
   AND since >= %(since)s AND since < COALESCE(%(until)s::timestamptz, 'infinity')
   AND NOT EXISTS (SELECT FROM episode e WHERE e.patient_id = a.patient_id AND e.family = a.family AND NOT e.technical
                      AND e.state <> 'closed');

-- name: forget_derived
-- What was made of them: sessions, rates of breathing, that a stream had said something to be over, when the baseline
-- was looked at.
WITH sessions AS (
    DELETE FROM spot_session
     WHERE patient_id = %(patient_id)s AND device_id = %(device_id)s
       AND at >= %(since)s AND started_at < COALESCE(%(until)s::timestamptz, 'infinity')
), rates AS (
    DELETE FROM derived_respiration
     WHERE patient_id = %(patient_id)s AND device_id = %(device_id)s AND window_end > %(since)s
       AND window_end < COALESCE(%(until)s::timestamptz + INTERVAL '10 minutes', 'infinity')
), ended AS (
    DELETE FROM spot_over
     WHERE patient_id = %(patient_id)s AND rule = ANY(%(rules)s)
       AND at >= %(since)s AND at < COALESCE(%(until)s::timestamptz, 'infinity')
)
DELETE FROM baseline_look WHERE patient_id = %(patient_id)s;

-- name: sustained_of
-- The sustained rules that hold for a patient.
SELECT rule FROM active_rule WHERE patient_id = %(patient_id)s AND basis = 'sustained';
