-- name: on_duty
-- Who holds a duty at an instant, at the nearest organisation at or above the given one where anybody does.
WITH holder AS (
    SELECT d.person_id, a.distance
      FROM care_duty(tstzrange(%(now)s, %(now)s, '[]')) d
      JOIN care_organisation_ancestor a ON a.ancestor_id = d.organisation_id
     WHERE a.organisation_id = %(organisation_id)s AND d.duty_role = %(duty_role)s)
SELECT DISTINCT p.person_id, p.key, p.name, p.name_en, p.role, p.service_tier, p.channels
  FROM holder h JOIN person p USING (person_id)
 WHERE h.distance = (SELECT min(distance) FROM holder)
 ORDER BY p.person_id;

-- name: posts_held
-- Which of these duties at these organisations a person holds at an instant, as `on_duty` finds who does.
WITH held AS MATERIALIZED (SELECT * FROM care_duty(tstzrange(%(now)s, %(now)s, '[]'))),
     holder AS (
    SELECT w.organisation_id, w.duty_role, h.person_id, a.distance,
           min(a.distance) OVER (PARTITION BY w.organisation_id, w.duty_role) AS nearest
      FROM (SELECT DISTINCT * FROM unnest(%(organisations)s::integer[], %(roles)s::text[])) AS w (organisation_id, duty_role)
      JOIN care_organisation_ancestor a USING (organisation_id)
      JOIN held h ON h.organisation_id = a.ancestor_id AND h.duty_role = w.duty_role)
SELECT DISTINCT organisation_id, duty_role FROM holder WHERE distance = nearest AND person_id = %(person_id)s;

-- name: roster_holes
-- When nobody at or above an organisation that has patients holds a duty that an unanswered alarm is carried to; and
-- whose roster it is a hole of: the nearest one at or above, NULL where nobody ever was on that duty.
WITH watched AS (SELECT DISTINCT organisation_id FROM patient),
     wanted AS (SELECT organisation_id, unnest(%(roles)s::text[]) AS duty_role FROM watched),
     above AS (
    SELECT w.organisation_id, w.duty_role, a.ancestor_id, a.distance
      FROM wanted w JOIN care_organisation_ancestor a USING (organisation_id)),
     held AS (
    SELECT a.organisation_id, a.duty_role, range_agg(d.held) AS valid
      FROM above a JOIN care_duty(tstzrange(%(begin)s, %(end)s)) d
        ON d.organisation_id = a.ancestor_id AND d.duty_role = a.duty_role GROUP BY 1, 2),
     hole AS (
    SELECT w.organisation_id, w.duty_role, part
      FROM wanted w LEFT JOIN held h USING (organisation_id, duty_role),
           LATERAL unnest(tstzmultirange(tstzrange(%(begin)s, %(end)s)) - COALESCE(h.valid, '{}')) AS part),
     ever AS (
    SELECT organisation_id, duty_role FROM duty
     UNION
    SELECT organisation_id, duty_role FROM duty_change WHERE accepted_at IS NOT NULL AND organisation_id IS NOT NULL),
     nearest AS (
    SELECT DISTINCT ON (a.organisation_id, a.duty_role) a.organisation_id, a.duty_role, a.ancestor_id
      FROM above a JOIN ever e ON e.organisation_id = a.ancestor_id AND e.duty_role = a.duty_role
     ORDER BY a.organisation_id, a.duty_role, a.distance)
SELECT o.organisation_id, o.key AS organisation, x.duty_role, lower(x.part) AS since, upper(x.part) AS until, o.time_zone,
       n.ancestor_id AS roster_of
  FROM hole x JOIN organisation o USING (organisation_id) LEFT JOIN nearest n USING (organisation_id, duty_role)
 ORDER BY since, organisation, duty_role;

-- name: roster
-- Who holds which duty in a time, in order, at these organisations (NULL: everywhere).
SELECT o.organisation_id, o.key AS organisation, o.time_zone, d.duty_role, p.person_id, p.key AS person, p.name,
       p.name_en, lower(d.held) AS since, upper(d.held) AS until, d.kind, NULLIF(d.change_id, 0) AS change_id
  FROM care_duty(tstzrange(%(begin)s, %(end)s)) d
  JOIN organisation o USING (organisation_id) JOIN person p USING (person_id)
 WHERE %(among)s::integer[] IS NULL OR d.organisation_id = ANY (%(among)s)
 ORDER BY organisation, d.duty_role, since, person;

-- name: duty_changes
-- What people have said of a time's roster, the newest first: at these organisations, and leave of their people (NULL:
-- everywhere). What waits or was revoked, too.
SELECT c.change_id, c.kind, c.swap_id, COALESCE(o.key, h.key) AS organisation,
       COALESCE(o.organisation_id, h.organisation_id) AS organisation_id, COALESCE(o.time_zone, h.time_zone) AS time_zone,
       c.duty_role, c.person_id, p.key AS person, p.name, p.name_en, i.key AS in_place_of, i.name AS in_place_of_name,
       i.name_en AS in_place_of_name_en, b.key AS substitute, b.name AS substitute_name,
       b.name_en AS substitute_name_en, lower(c.valid) AS since, upper(c.valid) AS until, c.reason,
       c.in_place_of_id, c.said_by AS said_by_id, s.key AS said_by, s.name AS said_by_name, s.name_en AS said_by_name_en,
       c.said_at, c.accepted_at, c.revoked_at, r.name AS revoked_by_name, r.name_en AS revoked_by_name_en
  FROM duty_change c
  JOIN person p ON p.person_id = c.person_id JOIN organisation h ON h.organisation_id = p.organisation_id
  JOIN person s ON s.person_id = c.said_by
  LEFT JOIN organisation o ON o.organisation_id = c.organisation_id
  LEFT JOIN person i ON i.person_id = c.in_place_of_id
  LEFT JOIN person b ON b.person_id = c.substitute_id
  LEFT JOIN person r ON r.person_id = c.revoked_by
 WHERE c.valid && tstzrange(%(begin)s, %(end)s)
   AND (%(among)s::integer[] IS NULL OR COALESCE(c.organisation_id, h.organisation_id) = ANY (%(among)s))
 ORDER BY c.change_id DESC LIMIT %(most)s;

-- name: family_doctors
-- Who is asked in place of each of these family doctors: the doctor; on leave, who stands in, and for him again; else
-- nobody.
WITH RECURSIVE away AS (
    SELECT DISTINCT ON (c.person_id) c.person_id, c.substitute_id
      FROM care_duty_change c WHERE c.kind = 'leave' AND c.held @> %(now)s::timestamptz
     ORDER BY c.person_id, c.substitute_id IS NULL, c.change_id DESC),
asked AS (
    SELECT person_id AS doctor_id, person_id, 0 AS place FROM unnest(%(doctors)s::integer[]) AS d (person_id)
     UNION ALL
    SELECT a.doctor_id, w.substitute_id, a.place + 1 FROM asked a JOIN away w USING (person_id)
     WHERE w.substitute_id IS NOT NULL AND a.place < 8)
SELECT DISTINCT ON (a.doctor_id) a.doctor_id, f.person_id, f.key, f.name, f.name_en, f.role, f.service_tier, f.channels
  FROM asked a JOIN person f USING (person_id)
 WHERE NOT EXISTS (SELECT FROM away w WHERE w.person_id = a.person_id) ORDER BY a.doctor_id, a.place;

-- name: people_to_tell
-- People by their numbers, and over which channels.
SELECT person_id, key, name, name_en, role, service_tier, channels FROM person
 WHERE person_id = ANY (%(people)s) ORDER BY person_id;

-- name: coordinators
-- Who keeps the roster of an organisation: the coordinators there and above, without those on leave.
SELECT p.person_id, p.key, p.name, p.name_en, p.role, p.service_tier, p.channels
  FROM person p JOIN care_organisation_ancestor a ON a.ancestor_id = p.organisation_id
 WHERE a.organisation_id = %(organisation_id)s AND p.role = 'coordinator'
   AND NOT EXISTS (SELECT FROM care_duty_change c WHERE c.kind = 'leave' AND c.person_id = p.person_id
                      AND c.held @> %(now)s::timestamptz)
 ORDER BY p.person_id;

-- name: duty_place
-- An organisation by key.
SELECT organisation_id, key, time_zone FROM organisation WHERE key = %(key)s;

-- name: duty_person
-- A person by key, and what may decide whether he can hold a duty at an organisation: whether it is at or below his
-- own, and whether both are of one county.
SELECT p.person_id, p.key, p.name, p.role, p.organisation_id, o.time_zone,
       EXISTS (SELECT FROM care_organisation_ancestor a
                WHERE a.organisation_id = %(organisation_id)s AND a.ancestor_id = p.organisation_id) AS is_above,
       EXISTS (SELECT FROM care_organisation_ancestor a JOIN care_organisation_ancestor b USING (ancestor_id)
                WHERE a.organisation_id = %(organisation_id)s AND b.organisation_id = p.organisation_id) AS same_county
  FROM person p JOIN organisation o USING (organisation_id) WHERE p.key = %(key)s;

-- name: duty_person_by_number
-- A person by number.
SELECT person_id, key FROM person WHERE person_id = %(person_id)s;

-- name: leave_of
-- Whether a person is away in some part of a time.
SELECT lower(c.held) AS since, upper(c.held) AS until FROM care_duty_change c
 WHERE c.kind = 'leave' AND c.person_id = %(person_id)s AND c.held && tstzrange(%(since)s, %(until)s)
 ORDER BY since LIMIT 1;

-- name: holds_throughout
-- Whether a person holds a duty there for the whole of a time.
SELECT COALESCE(range_agg(d.held) @> tstzrange(%(since)s, %(until)s), false) AS holds
  FROM care_duty(tstzrange(%(since)s, %(until)s)) d
 WHERE d.organisation_id = %(organisation_id)s AND d.duty_role = %(duty_role)s AND d.person_id = %(person_id)s;

-- name: add_duty_change
-- Write down what somebody said; it holds from now on.
INSERT INTO duty_change (kind, organisation_id, duty_role, person_id, in_place_of_id, substitute_id, valid, reason,
    said_by, said_at, accepted_by, accepted_at)
VALUES (%(kind)s, %(organisation_id)s, %(duty_role)s, %(person_id)s, %(in_place_of_id)s, %(substitute_id)s,
    tstzrange(%(since)s, %(until)s), %(reason)s, %(said_by)s, %(now)s, %(said_by)s, %(now)s)
RETURNING change_id;

-- name: next_duty_change
-- The number that the next change will have.
SELECT nextval(pg_get_serial_sequence('duty_change', 'change_id')) AS change_id;

-- name: add_swap
-- Write down the two halves of a swap, which waits for the other's word.
INSERT INTO duty_change (change_id, kind, swap_id, organisation_id, duty_role, person_id, in_place_of_id, valid, reason,
    said_by, said_at)
SELECT number, 'swap', %(swap_id)s, %(organisation_id)s, %(duty_role)s, person, other, tstzrange(since, until),
       %(reason)s, %(said_by)s, %(now)s
  FROM unnest(%(numbers)s::bigint[], %(people)s::integer[], %(others)s::integer[], %(since)s::timestamptz[],
              %(until)s::timestamptz[]) AS half (number, person, other, since, until);

-- name: duty_change
-- The rows of a change, under lock: one, or the two of a swap.
SELECT c.change_id, c.kind, c.swap_id, c.organisation_id, c.duty_role, c.person_id, c.in_place_of_id,
       lower(c.valid) AS since, upper(c.valid) AS until, c.said_by, c.accepted_at, c.revoked_at,
       COALESCE(c.organisation_id, p.organisation_id) AS whose_id
  FROM duty_change c JOIN person p ON p.person_id = c.person_id
 WHERE c.change_id = %(change_id)s
    OR c.swap_id = (SELECT s.swap_id FROM duty_change s WHERE s.change_id = %(change_id)s)
 ORDER BY c.change_id FOR UPDATE OF c;

-- name: accept_swap
-- The other agrees: from now on both halves hold.
UPDATE duty_change SET accepted_by = %(person_id)s, accepted_at = %(now)s WHERE swap_id = %(swap_id)s;

-- name: revoke_duty_change
-- It holds no more from now on.
UPDATE duty_change SET revoked_by = %(person_id)s, revoked_at = %(now)s
 WHERE change_id = %(change_id)s OR swap_id = %(swap_id)s;

-- name: add_handover_note
-- Keep what is written to who comes next, by who holds the duty now; nothing where he does not.
INSERT INTO handover_note (organisation_id, duty_role, note, said_by, said_at)
SELECT o.organisation_id, %(duty_role)s, %(note)s, %(person_id)s, %(now)s FROM organisation o
 WHERE o.key = %(organisation)s
   AND EXISTS (SELECT FROM care_duty(tstzrange(%(now)s, %(now)s, '[]')) d
                WHERE (d.organisation_id, d.duty_role, d.person_id)
                    = (o.organisation_id, %(duty_role)s, %(person_id)s))
RETURNING note_id;

-- name: acknowledge_handover_note
-- Note who has read it: somebody else than who wrote it, who holds the duty now; nothing where it is not so.
UPDATE handover_note n SET acknowledged_by = %(person_id)s, acknowledged_at = %(now)s
 WHERE n.note_id = %(note_id)s AND n.acknowledged_at IS NULL AND n.said_by <> %(person_id)s
   AND EXISTS (SELECT FROM care_duty(tstzrange(%(now)s, %(now)s, '[]')) d
                WHERE (d.organisation_id, d.duty_role, d.person_id)
                    = (n.organisation_id, n.duty_role, %(person_id)s));

-- name: handover_notes
-- What was written to who comes next, at an organisation of a duty, the newest first.
SELECT n.note_id, n.note, n.said_by, s.name AS said_by_name, s.name_en AS said_by_name_en, n.said_at,
       a.name AS acknowledged_by_name, a.name_en AS acknowledged_by_name_en, n.acknowledged_at
  FROM handover_note n JOIN person s ON s.person_id = n.said_by LEFT JOIN person a ON a.person_id = n.acknowledged_by
 WHERE n.organisation_id = %(organisation_id)s AND n.duty_role = %(duty_role)s
   AND (n.said_at > %(since)s OR n.acknowledged_at IS NULL)
 ORDER BY n.note_id DESC LIMIT %(most)s;

-- name: lock_registry
-- One loader at a time; gives the version that readers may have.
SELECT version FROM registry_version FOR UPDATE;

-- name: bump_registry
-- Tell ingest and alerting that the registry is another.
UPDATE registry_version SET version = version + 1;

-- name: notify_registry
-- Wake those who listen.
SELECT pg_notify('registry', (SELECT version::text FROM registry_version));

-- name: put_organisation
-- Enter or change an organisation; nothing where it is the same already. The parent follows in set_parent.
INSERT INTO organisation AS o (key, name, name_en, facility_role, time_zone, simulator, capabilities, free_beds,
    duty_phone)
VALUES (%(key)s, %(name)s, %(name_en)s, %(facility_role)s, %(time_zone)s, %(simulator)s, %(capabilities)s,
    %(free_beds)s, %(duty_phone)s)
    ON CONFLICT (key) DO UPDATE SET name = excluded.name, name_en = excluded.name_en,
       facility_role = excluded.facility_role, time_zone = excluded.time_zone, simulator = excluded.simulator,
       capabilities = excluded.capabilities, free_beds = excluded.free_beds, duty_phone = excluded.duty_phone
 WHERE (o.name, o.name_en, o.facility_role, o.time_zone, o.simulator, o.capabilities, o.free_beds, o.duty_phone)
       IS DISTINCT FROM (excluded.name, excluded.name_en, excluded.facility_role, excluded.time_zone,
                         excluded.simulator, excluded.capabilities, excluded.free_beds, excluded.duty_phone);

-- name: set_kin
-- Hang an organisation below another, or below none, and say who treats its residents.
UPDATE organisation o SET parent_id = w.parent_id, counterpart_id = w.counterpart_id
  FROM (SELECT (SELECT organisation_id FROM organisation WHERE key = %(parent)s) AS parent_id,
               (SELECT organisation_id FROM organisation WHERE key = %(counterpart)s) AS counterpart_id) w
 WHERE o.key = %(key)s AND (o.parent_id, o.counterpart_id) IS DISTINCT FROM (w.parent_id, w.counterpart_id);

-- name: drop_routes
-- Take hospitals off the lists that the file has otherwise, for the organisations that it speaks of.
DELETE FROM route x USING organisation o, organisation f
 WHERE x.organisation_id = o.organisation_id AND x.facility_id = f.organisation_id AND o.key = ANY (%(spoken_of)s)
   AND NOT EXISTS (
       SELECT FROM unnest(%(organisations)s::text[], %(roles)s::text[], %(facilities)s::text[], %(places)s::smallint[])
                AS w (organisation, facility_role, facility, place)
        WHERE (w.organisation, w.facility_role, w.facility, w.place) = (o.key, x.facility_role, f.key, x.place));

-- name: add_routes
-- Put hospitals on them.
INSERT INTO route (organisation_id, facility_role, place, facility_id)
SELECT o.organisation_id, w.facility_role, w.place, f.organisation_id
  FROM unnest(%(organisations)s::text[], %(roles)s::text[], %(facilities)s::text[], %(places)s::smallint[])
    AS w (organisation, facility_role, facility, place)
  JOIN organisation o ON o.key = w.organisation JOIN organisation f ON f.key = w.facility
ON CONFLICT DO NOTHING;

-- name: password_hashes
-- What is known of passwords, so that an unchanged one keeps its hash.
SELECT key, password_hash FROM person WHERE key = ANY (%(keys)s);

-- name: put_person
-- Enter or change a person; nothing where it is the same already.
INSERT INTO person AS p (key, name, name_en, organisation_id, role, service_tier, channels, password_hash)
SELECT %(key)s, %(name)s, %(name_en)s, o.organisation_id, %(role)s, %(service_tier)s, %(channels)s, %(password_hash)s
  FROM organisation o WHERE o.key = %(organisation)s
    ON CONFLICT (key) DO UPDATE SET name = excluded.name, name_en = excluded.name_en,
       organisation_id = excluded.organisation_id, role = excluded.role, service_tier = excluded.service_tier,
       channels = excluded.channels, password_hash = excluded.password_hash
 WHERE (p.name, p.name_en, p.organisation_id, p.role, p.service_tier, p.channels, p.password_hash)
       IS DISTINCT FROM (excluded.name, excluded.name_en, excluded.organisation_id, excluded.role,
                         excluded.service_tier, excluded.channels, excluded.password_hash);

-- name: put_patient
-- Enter or change a patient; nothing where it is the same already.
INSERT INTO patient AS p (key, name, initials, bed, born_on, sex, organisation_id, family_doctor_id, risk_colour,
    risk_colour_set, service_tier, special_groups, household_phone, household_channels, underlying_disease, vaccination)
SELECT %(key)s, %(name)s, %(initials)s, %(bed)s, %(born_on)s, %(sex)s, o.organisation_id, d.person_id,
       %(risk_colour)s, %(risk_colour)s, %(service_tier)s, %(special_groups)s, %(household_phone)s,
       %(household_channels)s, %(underlying_disease)s, %(vaccination)s
  FROM organisation o, person d WHERE o.key = %(organisation)s AND d.key = %(family_doctor)s
    ON CONFLICT (key) DO UPDATE SET name = excluded.name, initials = excluded.initials, bed = excluded.bed,
       born_on = excluded.born_on, sex = excluded.sex, organisation_id = excluded.organisation_id,
       family_doctor_id = excluded.family_doctor_id, risk_colour_set = excluded.risk_colour_set,
       risk_colour = CASE WHEN p.risk_colour_set IS DISTINCT FROM excluded.risk_colour_set THEN excluded.risk_colour
                          ELSE p.risk_colour END,
       underlying_disease = excluded.underlying_disease, vaccination = excluded.vaccination,
       service_tier = excluded.service_tier, special_groups = excluded.special_groups,
       household_phone = excluded.household_phone, household_channels = excluded.household_channels
 WHERE (p.name, p.initials, p.bed, p.born_on, p.sex, p.organisation_id, p.family_doctor_id, p.risk_colour_set,
        p.service_tier, p.special_groups, p.household_phone, p.household_channels, p.underlying_disease, p.vaccination)
       IS DISTINCT FROM (excluded.name, excluded.initials, excluded.bed, excluded.born_on, excluded.sex,
        excluded.organisation_id, excluded.family_doctor_id, excluded.risk_colour_set, excluded.service_tier,
        excluded.special_groups, excluded.household_phone, excluded.household_channels, excluded.underlying_disease,
        excluded.vaccination);

-- name: patients_to_assess
-- Patients of whom the annex's facts are known, with what was last said of their colour.
SELECT p.patient_id, p.born_on, p.underlying_disease, p.vaccination, p.risk_colour,
       COALESCE(p.risk_colour_set, p.risk_colour) AS risk_colour_set, o.time_zone, a.age_band AS last_band,
       a.underlying_disease AS last_disease, a.vaccination AS last_vaccination, a.review
  FROM patient p JOIN organisation o USING (organisation_id)
  LEFT JOIN LATERAL (SELECT * FROM risk_assessment r WHERE r.patient_id = p.patient_id
                      ORDER BY r.assessment_id DESC LIMIT 1) a ON true
 WHERE p.underlying_disease IS NOT NULL AND p.vaccination IS NOT NULL AND p.patient_id > %(after)s
 ORDER BY p.patient_id LIMIT %(most)s FOR UPDATE OF p;

-- name: note_assessment
-- Keep an assessment that says something new, and the colour that holds from now on.
WITH noted AS (
    INSERT INTO risk_assessment (patient_id, at, age_band, underlying_disease, vaccination, clause, points, by_score,
        was, colour, review)
    VALUES (%(patient_id)s, %(now)s, %(age_band)s, %(underlying_disease)s, %(vaccination)s, %(clause)s, %(points)s,
        %(by_score)s, %(was)s, %(colour)s, %(review)s))
UPDATE patient SET risk_colour = %(colour)s WHERE patient_id = %(patient_id)s AND risk_colour <> %(colour)s;

-- name: put_gateway
-- Enter or change a gateway; nothing where it is the same already.
INSERT INTO gateway AS g (gateway_id, organisation_id, place)
SELECT %(key)s, o.organisation_id, %(place)s FROM organisation o WHERE o.key = %(organisation)s
    ON CONFLICT (gateway_id) DO UPDATE SET organisation_id = excluded.organisation_id, place = excluded.place
 WHERE (g.organisation_id, g.place) IS DISTINCT FROM (excluded.organisation_id, excluded.place);

-- name: put_device
-- Enter or change a device; nothing where it is the same already.
INSERT INTO device AS d (key, kind, wellness, expected_every_s, shared)
VALUES (%(key)s, %(kind)s, %(wellness)s, %(expected_every_s)s, %(shared)s)
    ON CONFLICT (key) DO UPDATE SET kind = excluded.kind, wellness = excluded.wellness,
       expected_every_s = excluded.expected_every_s, shared = excluded.shared
 WHERE (d.kind, d.wellness, d.expected_every_s, d.shared)
       IS DISTINCT FROM (excluded.kind, excluded.wellness, excluded.expected_every_s, excluded.shared);

-- name: drop_bindings_to_come
-- Take back intervals of a device that have not begun and that the file does not have.
DELETE FROM binding b USING device d
 WHERE b.device_id = d.device_id AND d.key = %(device)s AND lower(b.valid) >= %(now)s::timestamptz
   AND NOT EXISTS (SELECT FROM unnest(%(patients)s::text[], %(wanted)s::tstzrange[]) AS w (patient, valid)
                     JOIN patient p ON p.key = w.patient
                    WHERE p.patient_id = b.patient_id AND w.valid && b.valid);

-- name: close_bindings
-- End now what still runs and is not in the file: from now on somebody else wears the device, or nobody.
UPDATE binding b SET valid = tstzrange(lower(b.valid), %(now)s)
  FROM device d
 WHERE b.device_id = d.device_id AND d.key = %(device)s
   AND COALESCE(upper(b.valid), 'infinity') > %(now)s::timestamptz
   AND NOT EXISTS (SELECT FROM unnest(%(patients)s::text[], %(wanted)s::tstzrange[]) AS w (patient, valid)
                     JOIN patient p ON p.key = w.patient
                    WHERE p.patient_id = b.patient_id AND w.valid && b.valid);

-- name: shorten_bindings
-- End an interval where the file ends it earlier.
UPDATE binding b SET valid = b.valid * tstzrange(NULL, f.until)
  FROM (SELECT b.binding_id, min(upper(w.valid)) AS until
          FROM binding b JOIN device d USING (device_id) JOIN patient p USING (patient_id)
          JOIN unnest(%(patients)s::text[], %(wanted)s::tstzrange[]) AS w (patient, valid)
            ON w.patient = p.key AND w.valid && b.valid
         WHERE d.key = %(device)s GROUP BY b.binding_id) AS f
 WHERE b.binding_id = f.binding_id AND f.until < COALESCE(upper(b.valid), 'infinity');

-- name: add_bindings
-- Bind the device for the time that the file wants and that no interval, old or new, has taken.
INSERT INTO binding (device_id, patient_id, valid)
SELECT d.device_id, p.patient_id, part
  FROM device d, unnest(%(patients)s::text[], %(wanted)s::tstzrange[]) AS w (patient, valid)
  JOIN patient p ON p.key = w.patient,
       LATERAL unnest(w.valid::tstzmultirange - COALESCE(
           (SELECT range_agg(b.valid) FROM binding b WHERE b.device_id = d.device_id), '{}')) AS part
 WHERE d.key = %(device)s;

-- name: drop_duties
-- Take people off duty whom the file does not have on it, for the organisations that it speaks of.
DELETE FROM duty x USING organisation o, person p
 WHERE x.organisation_id = o.organisation_id AND x.person_id = p.person_id AND o.key = ANY (%(spoken_of)s)
   AND NOT EXISTS (
       SELECT FROM unnest(%(organisations)s::text[], %(roles)s::text[], %(people)s::text[], %(valid)s::tstzrange[])
                AS w (organisation, duty_role, person, valid)
        WHERE (w.organisation, w.duty_role, w.person, w.valid) = (o.key, x.duty_role, p.key, x.valid));

-- name: add_duties
-- Put people on duty who are not.
INSERT INTO duty (organisation_id, duty_role, person_id, valid)
SELECT DISTINCT o.organisation_id, w.duty_role, p.person_id, w.valid
  FROM unnest(%(organisations)s::text[], %(roles)s::text[], %(people)s::text[], %(valid)s::tstzrange[])
    AS w (organisation, duty_role, person, valid)
  JOIN organisation o ON o.key = w.organisation JOIN person p ON p.key = w.person
 WHERE NOT EXISTS (SELECT FROM duty x WHERE (x.organisation_id, x.duty_role, x.person_id, x.valid)
                       = (o.organisation_id, w.duty_role, p.person_id, w.valid));

-- name: sign_in
-- What is needed to sign a person in.
SELECT person_id, key, name, name_en, organisation_id, role, service_tier, password_hash
  FROM person WHERE key = %(key)s;

-- name: set_password_hash
-- Keep a hash made with today's parameters.
UPDATE person SET password_hash = %(password_hash)s WHERE person_id = %(person_id)s;

-- name: show_patients
-- Every patient with doctor and present devices.
SELECT p.key, p.name, p.risk_colour, p.service_tier, p.organisation_name, p.family_doctor_name,
       (SELECT string_agg(b.device_key || ' ' || b.kind, ', ' ORDER BY b.device_key) FROM care_binding b
         WHERE b.patient_id = p.patient_id AND tstzrange(b.valid_from, b.valid_until) @> %(now)s::timestamptz) AS devices
  FROM care_patient p ORDER BY p.key;

-- name: show_duties
-- Who is on duty now.
SELECT o.name AS organisation, d.duty_role, p.name AS person
  FROM care_duty(tstzrange(%(now)s, %(now)s, '[]')) d
  JOIN organisation o USING (organisation_id) JOIN person p USING (person_id) ORDER BY o.key, d.duty_role, p.key;

-- name: gateway_exists
-- Whether there is such a gateway.
SELECT FROM gateway WHERE gateway_id = %(gateway_id)s;

-- name: patient_exists
-- Whether there is such a patient.
SELECT FROM patient WHERE key = %(patient_key)s;

-- name: enter_device
-- Enter a device that nobody knew; one that is known stays as it is.
INSERT INTO device (key, kind, wellness, expected_every_s)
VALUES (%(device_key)s, %(kind)s, %(wellness)s, %(expected_every_s)s) ON CONFLICT (key) DO NOTHING;

-- name: mark_bound_by_hand
-- From now on the registry file says nothing of who wears this device.
UPDATE device SET bound_by_hand = true WHERE key = %(device)s AND NOT bound_by_hand;

-- name: bound_by_hand
-- Which of these devices have been bound by hand.
SELECT key FROM device WHERE bound_by_hand AND key = ANY (%(keys)s) ORDER BY key;

-- name: count_claims
-- How many devices a gateway reads besides this one.
SELECT count(*) FROM care_claim
 WHERE gateway_id = %(gateway_id)s AND released_at IS NULL AND device_key <> %(device_key)s;

-- name: release_claim
-- End a standing claim; with a driver given only one that names another.
UPDATE claim c SET released_at = %(now)s, released_by = %(person_id)s
  FROM device d
 WHERE d.device_id = c.device_id AND d.key = %(device_key)s AND c.gateway_id = %(gateway_id)s
   AND c.released_at IS NULL AND (NOT %(but_same_driver)s OR c.driver IS DISTINCT FROM %(driver)s);

-- name: add_claim
-- Let a gateway read a device; nothing where it does already.
INSERT INTO claim (gateway_id, device_id, driver, claimed_by, claimed_at)
SELECT %(gateway_id)s, device_id, %(driver)s, %(person_id)s, %(now)s FROM device WHERE key = %(device_key)s
    ON CONFLICT (gateway_id, device_id) WHERE released_at IS NULL DO NOTHING;

-- name: drop_file_claims
-- End claims that the registry file made and that it does not have any more, for the devices that it speaks of.
UPDATE claim c SET released_at = %(now)s
  FROM device d
 WHERE d.device_id = c.device_id AND c.released_at IS NULL AND c.claimed_by IS NULL AND d.key = ANY (%(spoken_of)s)
   AND NOT EXISTS (SELECT FROM unnest(%(devices)s::text[], %(gateways)s::text[]) AS w (device, gateway)
                    WHERE w.device = d.key AND w.gateway = c.gateway_id);

-- name: add_file_claims
-- Let gateways read the devices that the file says; nothing where they do already, whoever said so.
INSERT INTO claim (gateway_id, device_id, claimed_at)
SELECT w.gateway, d.device_id, %(now)s
  FROM unnest(%(devices)s::text[], %(gateways)s::text[]) AS w (device, gateway) JOIN device d ON d.key = w.device
    ON CONFLICT (gateway_id, device_id) WHERE released_at IS NULL DO NOTHING;

-- name: crowded_gateways
-- Gateways that are to read more devices than a config document may hold.
SELECT gateway_id FROM care_claim WHERE released_at IS NULL GROUP BY gateway_id HAVING count(*) > %(most)s;

-- name: notify_claims
-- Wake those who tell gateways what to read.
SELECT pg_notify('claim', '');

-- name: record_act
-- Write down who changed the registry by hand.
INSERT INTO registry_act (at, person_id, act, detail) VALUES (%(now)s, %(person_id)s, %(act)s, %(detail)s);

-- name: show_claims
-- Which gateway reads which devices.
SELECT g.gateway_id, g.place, count(c.claim_id) AS devices,
       coalesce(string_agg(c.device_key, ', ' ORDER BY c.device_key), 'nothing') AS device_keys
  FROM care_gateway g LEFT JOIN care_claim c ON c.gateway_id = g.gateway_id AND c.released_at IS NULL
 GROUP BY g.gateway_id, g.place ORDER BY g.gateway_id;

-- name: facilities_for
-- Every hospital a patient's grid may be sent to, with its place in the nearest list at or above his organisation; before
-- all of its role the one that the nursing home is paired with.
WITH paired AS (
    SELECT o.counterpart_id FROM organisation o JOIN care_organisation_ancestor a ON a.ancestor_id = o.organisation_id
     WHERE a.organisation_id = %(organisation_id)s AND o.counterpart_id IS NOT NULL ORDER BY a.distance LIMIT 1),
listed AS (
    SELECT DISTINCT ON (r.facility_role, r.facility_id) r.facility_id, r.facility_role, r.place, a.distance
      FROM route r JOIN care_organisation_ancestor a ON a.ancestor_id = r.organisation_id
     WHERE a.organisation_id = %(organisation_id)s
     ORDER BY r.facility_role, r.facility_id, a.distance)
SELECT f.facility_id, f.facility_role, f.capabilities, f.free_beds,
       CASE WHEN f.facility_id IN (SELECT counterpart_id FROM paired) THEN 0 ELSE l.place END AS place
  FROM care_facility f LEFT JOIN listed l
    ON l.facility_id = f.facility_id AND l.facility_role = f.facility_role
   AND l.distance = (SELECT min(n.distance) FROM listed n WHERE n.facility_role = l.facility_role)
 ORDER BY f.facility_id;

-- name: to_be_paged
-- Whom an alarm of an organisation or of one below it may page: who is on duty there now, and its patients' family
-- doctors, and who stands in for them; with `everybody`, all who work there.
WITH below AS (SELECT organisation_id FROM care_organisation_ancestor WHERE ancestor_id = %(organisation_id)s)
SELECT p.person_id, p.key, p.name, p.name_en, p.role, p.service_tier, p.channels FROM person p
 WHERE p.person_id IN (SELECT d.person_id FROM care_duty(tstzrange(%(now)s, %(now)s, '[]')) d
                          JOIN below USING (organisation_id))
    OR p.person_id IN (SELECT family_doctor_id FROM patient JOIN below USING (organisation_id))
    OR p.person_id IN (SELECT c.substitute_id FROM care_duty_change c
                        WHERE c.kind = 'leave' AND c.held @> %(now)s::timestamptz AND c.person_id IN (
                              SELECT family_doctor_id FROM patient JOIN below USING (organisation_id)))
    OR (%(everybody)s AND p.organisation_id IN (SELECT organisation_id FROM below))
 ORDER BY p.person_id;

-- name: follow_up_patient
-- Where a patient lives, as far as follow-up needs it.
SELECT time_zone FROM care_patient WHERE patient_id = %(patient_id)s;

-- name: open_follow_up
-- Open a follow-up; nothing where one is open.
INSERT INTO follow_up (patient_id, opened_at, cadence, due_at, anchor, tries)
VALUES (%(patient_id)s, %(now)s, %(cadence)s, %(due_at)s, %(anchor)s, %(tries)s)
    ON CONFLICT (patient_id) WHERE ended_at IS NULL DO NOTHING RETURNING follow_up_id;

-- name: lock_follow_up
-- One follow-up for an act.
SELECT f.patient_id, f.cadence, f.due_at, f.anchor, f.tries, f.ended_at, f.ended_as, p.time_zone
  FROM follow_up f JOIN care_patient p USING (patient_id) WHERE f.follow_up_id = %(follow_up_id)s FOR UPDATE OF f;

-- name: move_follow_up
-- Write where a follow-up stands.
UPDATE follow_up SET cadence = %(cadence)s, due_at = %(due_at)s, anchor = %(anchor)s, tries = %(tries)s
 WHERE follow_up_id = %(follow_up_id)s;

-- name: open_follow_up_of
-- A patient's open follow-up.
SELECT follow_up_id FROM follow_up WHERE patient_id = %(patient_id)s AND ended_at IS NULL FOR UPDATE;

-- name: end_follow_up
-- End a follow-up.
UPDATE follow_up SET ended_at = %(now)s, ended_as = %(ended_as)s WHERE follow_up_id = %(follow_up_id)s;

-- name: note_follow_up
-- Who opened, changed or ended a follow-up, and why.
INSERT INTO follow_up_act (follow_up_id, at, person_id, kind, said, why)
VALUES (%(follow_up_id)s, %(now)s, %(person_id)s, %(kind)s, %(said)s, %(why)s);

-- name: add_contact
-- Write a contact down.
INSERT INTO follow_up_contact (follow_up_id, at, person_id, way, reached, signs, has_warning, temperature, spo2, antigen,
                               antigen_at, note, due_at)
VALUES (%(follow_up_id)s, %(now)s, %(person_id)s, %(way)s, %(reached)s, %(signs)s, %(has_warning)s, %(temperature)s,
        %(spo2)s, %(antigen)s, %(antigen_at)s, %(note)s, %(due_at)s) RETURNING contact_id;

-- name: contact
-- One contact, for what follows from it.
SELECT contact_id, patient_id, at, way, signs, has_warning FROM care_follow_up_contact
 WHERE contact_id = %(contact_id)s;

-- name: await_decision
-- By when somebody has to decide on warning signs.
INSERT INTO undecided_sign (contact_id, decide_by) VALUES (%(contact_id)s, %(decide_by)s);

-- name: decide_on_signs
-- Write a decision on warning signs down, once; without a person it is the clock's.
INSERT INTO follow_up_decision (contact_id, at, person_id, decision, note)
VALUES (%(contact_id)s, %(now)s, %(person_id)s, %(decision)s, %(note)s) ON CONFLICT (contact_id) DO NOTHING;

-- name: decision_awaited_no_more
-- They are decided on.
DELETE FROM undecided_sign WHERE contact_id = %(contact_id)s;

-- name: open_follow_ups
-- Open follow-ups, the longest overdue first.
SELECT f.follow_up_id, p.key AS patient_key, p.initials, p.bed, p.organisation_name, f.time_zone, f.cadence, f.due_at, f.tries
  FROM care_follow_up f JOIN care_patient p USING (patient_id)
 WHERE f.ended_at IS NULL AND (%(due_before)s::timestamptz IS NULL OR f.due_at <= %(due_before)s)
 ORDER BY f.due_at, f.follow_up_id LIMIT %(most)s;

-- name: make_visit
-- A task to go to a patient whom nobody reaches; nothing where there is one.
WITH made AS (
    INSERT INTO helper_task (patient_id, what, organisation_id, note, unreached, made_at, due_at)
    SELECT %(patient_id)s, %(what)s, organisation_id, %(note)s, true, %(now)s, %(due_at)s
      FROM care_patient p WHERE p.patient_id = %(patient_id)s
       AND NOT EXISTS (SELECT FROM helper_task t WHERE t.patient_id = p.patient_id AND t.unreached AND t.state = 'open')
    RETURNING task_id)
INSERT INTO helper_task_act (task_id, at, person_id, kind, note)
SELECT task_id, %(now)s, %(person_id)s, 'made', %(note)s FROM made;

-- name: settle_unreached
-- Somebody has been reached: nobody need go there for that.
WITH settled AS (
    UPDATE helper_task SET state = 'done'
     WHERE patient_id = %(patient_id)s AND unreached AND state = 'open' RETURNING task_id)
INSERT INTO helper_task_act (task_id, at, person_id, kind, note)
SELECT task_id, %(now)s, %(person_id)s, 'done', '' FROM settled;

-- name: lock_tasks_of
-- Who makes a task for a patient waits for whoever makes another.
SELECT organisation_id FROM patient WHERE patient_id = %(patient_id)s FOR NO KEY UPDATE;

-- name: count_tasks
-- How many tasks of a patient are open.
SELECT count(*) FROM helper_task WHERE patient_id = %(patient_id)s AND state = 'open';

-- name: assignable
-- An organisation above or below a patient's, or his own, and, if named, one of its people: who he is is told there.
SELECT FROM organisation o JOIN patient t ON t.patient_id = %(patient_id)s
 WHERE o.organisation_id = %(organisation_id)s
   AND EXISTS (SELECT FROM care_organisation_ancestor a
                WHERE (a.organisation_id, a.ancestor_id) IN ((t.organisation_id, o.organisation_id),
                                                             (o.organisation_id, t.organisation_id)))
   AND (%(person_id)s::integer IS NULL
        OR EXISTS (SELECT FROM person p WHERE p.person_id = %(person_id)s AND p.organisation_id = o.organisation_id));

-- name: make_task
-- Make a task with its first line of history.
WITH made AS (
    INSERT INTO helper_task (patient_id, what, organisation_id, person_id, note, made_at, due_at)
    VALUES (%(patient_id)s, %(what)s, %(organisation_id)s, %(assignee_id)s, %(note)s, %(now)s, %(due_at)s)
    RETURNING task_id)
INSERT INTO helper_task_act (task_id, at, person_id, kind, note)
SELECT task_id, %(now)s, %(person_id)s, 'made', %(note)s FROM made RETURNING task_id;

-- name: settle_task
-- Say what became of an open task.
WITH settled AS (
    UPDATE helper_task SET state = %(state)s WHERE task_id = %(task_id)s AND state = 'open' RETURNING task_id)
INSERT INTO helper_task_act (task_id, at, person_id, kind, note)
SELECT task_id, %(now)s, %(person_id)s, %(state)s, %(note)s FROM settled RETURNING task_id;
