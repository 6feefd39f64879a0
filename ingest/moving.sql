-- Carrying out corrections of who wore a device (docs/wrong-patient.md): the statements of ingest/tend/moving.py.

-- name: take_up
-- Begin to carry out what was corrected.
INSERT INTO sample_move (correction_id, before, judged_from)
SELECT c.correction_id, 'infinity', GREATEST(c.since, c.at - %(judged_back)s::interval)
  FROM care_binding_correction c
 WHERE NOT EXISTS (SELECT FROM sample_move m WHERE m.correction_id = c.correction_id);

-- name: next_move
-- What is to be done next: what was never gone through, in order; then what is due for its second look.
SELECT c.correction_id, c.device_id, c.from_patient_id, c.to_patient_id, c.since, c.until, m.judged_from, m.told_to,
       NULLIF(m.before, 'infinity') AS before, m.moved_at IS NULL AS is_first, m.samples, m.told, m.signals
  FROM sample_move m JOIN care_binding_correction c USING (correction_id)
 WHERE m.done_at IS NULL AND (m.moved_at IS NULL OR c.at <= %(now)s - %(look_again)s::interval)
 ORDER BY m.moved_at IS NOT NULL, c.correction_id LIMIT 1;

-- name: moves_left
-- How many are not gone through.
SELECT count(*) FROM sample_move WHERE moved_at IS NULL;

-- name: piece_of_samples
-- Where the next piece begins: the newest samples of a patient's device before an instant, at most so many.
SELECT min(measured_at) AS first, count(*) AS samples FROM (
    SELECT measured_at FROM sample
     WHERE patient_id = %(patient_id)s AND device_id = %(device_id)s
       AND measured_at >= %(since)s AND measured_at < COALESCE(%(before)s::timestamptz, 'infinity')
     ORDER BY measured_at DESC LIMIT %(most)s) p;

-- name: take_samples
-- Take them out.
DELETE FROM sample
 WHERE patient_id = %(patient_id)s AND device_id = %(device_id)s
   AND measured_at >= %(first)s AND measured_at < COALESCE(%(before)s::timestamptz, 'infinity')
RETURNING measured_at, received_at, acquisition, spo2, pulse, perfusion_index, temperature, respiratory_rate, systolic,
    diastolic, mean_arterial, glucose, rr_interval, weight, steps, battery, quality;

-- name: piece_of_aside
-- The same of what lies aside.
SELECT min(measured_at) AS first, count(*) AS samples FROM (
    SELECT measured_at FROM sample_aside
     WHERE device_id = %(device_id)s
       AND measured_at >= %(since)s AND measured_at < COALESCE(%(before)s::timestamptz, 'infinity')
     ORDER BY measured_at DESC LIMIT %(most)s) p;

-- name: take_aside
-- Take them out.
DELETE FROM sample_aside
 WHERE device_id = %(device_id)s
   AND measured_at >= %(first)s AND measured_at < COALESCE(%(before)s::timestamptz, 'infinity')
RETURNING measured_at, received_at, acquisition, spo2, pulse, perfusion_index, temperature, respiratory_rate, systolic,
    diastolic, mean_arterial, glucose, rr_interval, weight, steps, battery, quality;

-- name: put_aside
-- Keep a sample that is nobody's, or contradicts what its right patient has.
INSERT INTO sample_aside (correction_id, why, patient_id, device_id, measured_at, received_at, acquisition, spo2, pulse,
    perfusion_index, temperature, respiratory_rate, systolic, diastolic, mean_arterial, glucose, rr_interval, weight,
    steps, battery, quality)
VALUES (%(correction_id)s, %(why)s, %(patient_id)s, %(device_id)s, %(measured_at)s, %(received_at)s, %(acquisition)s,
    %(spo2)s, %(pulse)s, %(perfusion_index)s, %(temperature)s, %(respiratory_rate)s, %(systolic)s, %(diastolic)s,
    %(mean_arterial)s, %(glucose)s, %(rr_interval)s, %(weight)s, %(steps)s, %(battery)s, %(quality)s);

-- name: go_on
-- Note how far it is, with the samples moved.
UPDATE sample_move SET before = %(first)s, samples = samples + %(samples)s, aside = aside + %(aside)s,
    told_to = told_to OR %(told_to)s, signals = %(signals)s
 WHERE correction_id = %(correction_id)s;

-- name: end_look
-- It has been gone through: the second time nothing more can come.
UPDATE sample_move SET before = 'infinity', told_to = false, told = samples, moved_at = COALESCE(moved_at, %(now)s),
    done_at = CASE WHEN %(is_first)s THEN done_at ELSE %(now)s END
 WHERE correction_id = %(correction_id)s;

-- name: forget_latest
-- The newest words of a patient's device that were measured in a time: they were not his.
DELETE FROM latest
 WHERE patient_id = %(patient_id)s AND device_id = %(device_id)s
   AND ((measured_at >= %(since)s AND measured_at < COALESCE(%(until)s::timestamptz, 'infinity'))
     OR (good_measured_at >= %(since)s AND good_measured_at < COALESCE(%(until)s::timestamptz, 'infinity')))
RETURNING signal, first_received_at;

-- name: restore_latest
-- In their place the newest that were: of each time in which he did wear it, the newest sample by the index.
INSERT INTO latest (patient_id, device_id, signal, acquisition, value, quality, reason, measured_at, received_at,
    good_value, good_measured_at, good_received_at, first_received_at)
SELECT %(patient_id)s, %(device_id)s, t.signal, n.acquisition, n.value, n.word >> 6, n.word & 63, n.measured_at,
       n.received_at, g.value, g.measured_at, g.received_at, t.first_received_at
  FROM unnest(%(signals)s::smallint[], %(firsts)s::timestamptz[]) AS t (signal, first_received_at)
 CROSS JOIN LATERAL (
    SELECT s.* FROM care_binding b CROSS JOIN LATERAL (
        SELECT x.measured_at, x.received_at, x.acquisition, v.value, v.word FROM sample x CROSS JOIN LATERAL (
            SELECT c.value, CASE WHEN x.quality IS NOT NULL THEN get_byte(x.quality, t.signal - 1)
                                 WHEN c.value IS NULL THEN 255 ELSE 0 END AS word
              FROM (SELECT (ARRAY[x.spo2, x.pulse, x.perfusion_index, x.temperature, x.respiratory_rate, x.systolic,
                                  x.diastolic, x.mean_arterial, x.glucose, x.rr_interval, x.weight, x.steps, x.battery]
                           )[t.signal] AS value) c) v
         WHERE x.patient_id = %(patient_id)s AND x.device_id = %(device_id)s
           AND x.measured_at >= COALESCE(b.valid_from, '-infinity') AND x.measured_at < COALESCE(b.valid_until, 'infinity')
           AND v.word <> 255
         ORDER BY x.measured_at DESC LIMIT 1) s
     WHERE b.device_id = %(device_id)s AND b.patient_id = %(patient_id)s
     ORDER BY s.measured_at DESC LIMIT 1) n
  LEFT JOIN LATERAL (
    SELECT s.* FROM care_binding b CROSS JOIN LATERAL (
        SELECT x.measured_at, x.received_at, v.value FROM sample x CROSS JOIN LATERAL (
            SELECT (ARRAY[x.spo2, x.pulse, x.perfusion_index, x.temperature, x.respiratory_rate, x.systolic, x.diastolic,
                          x.mean_arterial, x.glucose, x.rr_interval, x.weight, x.steps, x.battery])[t.signal] AS value) v
         WHERE x.patient_id = %(patient_id)s AND x.device_id = %(device_id)s
           AND x.measured_at >= COALESCE(b.valid_from, '-infinity') AND x.measured_at < COALESCE(b.valid_until, 'infinity')
           AND v.value IS NOT NULL AND (x.quality IS NULL OR get_byte(x.quality, t.signal - 1) < 64)
         ORDER BY x.measured_at DESC LIMIT 1) s
     WHERE b.device_id = %(device_id)s AND b.patient_id = %(patient_id)s
     ORDER BY s.measured_at DESC LIMIT 1) g ON true;

-- name: forget_aside
-- What lies aside is kept no longer than samples are.
DELETE FROM sample_aside WHERE measured_at < (SELECT before FROM dropped WHERE class = 'sample');

-- name: kept_since
-- From when on all samples are there: the oldest day that is, and a day for what is being moved when it is dropped.
SELECT NULLIF(before, '-infinity') + INTERVAL '1 day' FROM dropped WHERE class = 'sample';
