-- Status, contacts, consents, teams, kits, shared devices; and the registry read whole, as its file has it.

-- name: all_organisations
-- Every organisation as the file has it.
SELECT o.key, o.name, o.name_en, o.facility_role, p.key AS parent, o.time_zone, o.simulator, o.capabilities, o.free_beds,
       o.duty_phone, c.key AS counterpart
  FROM organisation o LEFT JOIN organisation p ON p.organisation_id = o.parent_id
  LEFT JOIN organisation c ON c.organisation_id = o.counterpart_id ORDER BY o.key;

-- name: all_people
-- Every person as the file has them, with the hash of the password.
SELECT p.key, p.name, p.name_en, o.key AS organisation, p.role, p.service_tier, p.channels, NULL AS password,
       p.password_hash
  FROM person p JOIN organisation o USING (organisation_id) ORDER BY p.key;

-- name: all_patients
-- Every patient as the file has them: the colour is what a person has set.
SELECT p.key, p.name, p.initials, p.bed, p.born_on, p.sex, o.key AS organisation, d.key AS family_doctor,
       COALESCE(p.risk_colour_set, p.risk_colour) AS risk_colour, p.service_tier, p.special_groups, p.household_phone,
       p.household_channels, p.underlying_disease, p.vaccination, t.key AS team
  FROM patient p JOIN organisation o USING (organisation_id) JOIN person d ON d.person_id = p.family_doctor_id
  LEFT JOIN team_patient m ON m.patient_id = p.patient_id AND m.until IS NULL LEFT JOIN team t USING (team_id)
 ORDER BY p.key;

-- name: all_gateways
-- Every gateway as the file has them.
SELECT g.gateway_id AS key, o.key AS organisation, g.place
  FROM gateway g JOIN organisation o USING (organisation_id) ORDER BY g.gateway_id;

-- name: all_devices
-- Every device as the file has them; its gateway where the file has said it.
SELECT d.key, d.kind, d.wellness, d.expected_every_s, d.shared,
       (SELECT c.gateway_id FROM claim c WHERE c.device_id = d.device_id AND c.released_at IS NULL
           AND c.claimed_by IS NULL ORDER BY c.claim_id LIMIT 1) AS gateway
  FROM device d ORDER BY d.key;

-- name: all_bindings
-- Who wore what when; sessions of shared devices are no file's.
SELECT d.key AS device, p.key AS patient, lower(b.valid) AS since, upper(b.valid) AS until
  FROM binding b JOIN device d USING (device_id) JOIN patient p USING (patient_id)
 WHERE NOT isempty(b.valid) AND NOT d.shared AND isfinite(lower(b.valid)) ORDER BY d.key, b.valid;

-- name: all_duties
-- Who is on duty.
SELECT o.key AS organisation, d.duty_role, p.key AS person, lower(d.valid) AS since, upper(d.valid) AS until
  FROM duty d JOIN organisation o USING (organisation_id) JOIN person p USING (person_id)
 ORDER BY o.key, d.duty_role, p.key, d.valid;

-- name: all_routes
-- To which hospitals patients go.
SELECT o.key AS organisation, r.facility_role, f.key AS facility, r.place
  FROM route r JOIN organisation o USING (organisation_id) JOIN organisation f ON f.organisation_id = r.facility_id
 ORDER BY o.key, r.facility_role, r.place;

-- name: all_teams
-- Every team with who is in it now.
SELECT t.key, t.name, o.key AS organisation,
       max(p.key) FILTER (WHERE m.member_role = 'family_doctor') AS family_doctor,
       max(p.key) FILTER (WHERE m.member_role = 'nurse') AS nurse,
       max(p.key) FILTER (WHERE m.member_role = 'village_doctor') AS village_doctor,
       COALESCE(array_agg(p.key ORDER BY p.key) FILTER (WHERE m.member_role = 'helper' AND m.person_id IS NOT NULL), '{}')
           AS helper_people,
       COALESCE(array_agg(m.helper ORDER BY m.helper) FILTER (WHERE m.helper <> ''), '{}') AS helpers
  FROM team t JOIN organisation o USING (organisation_id)
  JOIN team_member m ON m.team_id = t.team_id AND m.left_at IS NULL LEFT JOIN person p USING (person_id)
 GROUP BY t.key, t.name, o.key ORDER BY t.key;

-- name: all_contacts
-- Every patient's contacts in order.
SELECT p.key AS patient, c.name, c.relation, c.phone, c.channels, c.may_be_told, c.lives_with
  FROM contact c JOIN patient p USING (patient_id) WHERE c.ended_at IS NULL ORDER BY p.key, c.place;

-- name: all_consents
-- Every consent given or taken back.
SELECT p.key AS patient, c.purpose, c.version, c.given, c.given_by, c.guardian, c.at
  FROM consent c JOIN patient p USING (patient_id) ORDER BY p.key, c.at, c.consent_id;

-- name: all_kits
-- Every kit with what is in it.
SELECT k.key, o.key AS organisation, k.gateway_id AS gateway,
       ARRAY(SELECT d.key FROM kit_device c JOIN device d USING (device_id) WHERE c.kit_id = k.kit_id ORDER BY d.key)
           AS devices
  FROM kit k JOIN organisation o USING (organisation_id) ORDER BY k.key;

-- name: put_team
-- Enter or change a team; nothing where it is the same already.
INSERT INTO team AS t (key, name, organisation_id)
SELECT %(key)s, %(name)s, o.organisation_id FROM organisation o WHERE o.key = %(organisation)s
    ON CONFLICT (key) DO UPDATE SET name = excluded.name, organisation_id = excluded.organisation_id
 WHERE (t.name, t.organisation_id) IS DISTINCT FROM (excluded.name, excluded.organisation_id);

-- name: leave_team
-- End who is in these teams and not among the members wanted.
UPDATE team_member m SET left_at = %(now)s
  FROM team t WHERE t.team_id = m.team_id AND m.left_at IS NULL AND t.key = ANY (%(spoken_of)s)
   AND NOT EXISTS (SELECT FROM jsonb_to_recordset(%(wanted)s) AS w (team text, member_role text, person text, helper text)
                     LEFT JOIN person p ON p.key = w.person
                    WHERE w.team = t.key AND w.member_role = m.member_role
                      AND p.person_id IS NOT DISTINCT FROM m.person_id AND w.helper = m.helper);

-- name: join_team
-- Let people into teams who are not in them.
INSERT INTO team_member (team_id, member_role, person_id, helper, joined_at)
SELECT t.team_id, w.member_role, p.person_id, w.helper, %(now)s
  FROM jsonb_to_recordset(%(wanted)s) AS w (team text, member_role text, person text, helper text)
  JOIN team t ON t.key = w.team LEFT JOIN person p ON p.key = w.person
 WHERE NOT EXISTS (SELECT FROM team_member m WHERE m.team_id = t.team_id AND m.member_role = w.member_role
                      AND m.person_id IS NOT DISTINCT FROM p.person_id AND m.helper = w.helper AND m.left_at IS NULL);

-- name: leave_patients
-- End the care of these patients by teams that are not wanted.
UPDATE team_patient m SET until = %(now)s
  FROM patient p, team t, unnest(%(patients)s::text[], %(teams)s::text[]) AS w (patient, team)
 WHERE p.patient_id = m.patient_id AND t.team_id = m.team_id AND m.until IS NULL AND w.patient = p.key
   AND w.team IS DISTINCT FROM t.key;

-- name: take_patients
-- Give patients to teams.
INSERT INTO team_patient (patient_id, team_id, since)
SELECT p.patient_id, t.team_id, %(now)s
  FROM unnest(%(patients)s::text[], %(teams)s::text[]) AS w (patient, team)
  JOIN patient p ON p.key = w.patient JOIN team t ON t.key = w.team
    ON CONFLICT (patient_id) WHERE until IS NULL DO NOTHING;

-- name: end_contacts
-- End the contacts of these patients that are not wanted, or not so.
UPDATE contact c SET ended_at = %(now)s, ended_by = %(person_id)s
  FROM patient p WHERE p.patient_id = c.patient_id AND c.ended_at IS NULL AND p.key = ANY (%(spoken_of)s)
   AND NOT EXISTS (SELECT FROM jsonb_to_recordset(%(wanted)s) AS w (patient text, place smallint, name text,
                          relation text, phone text, channels text[], may_be_told boolean, lives_with boolean)
                    WHERE w.patient = p.key AND (w.place, w.name, w.relation, w.phone, w.channels, w.may_be_told,
                          w.lives_with) = (c.place, c.name, c.relation, c.phone, c.channels, c.may_be_told, c.lives_with));

-- name: add_contacts
-- Enter the wanted contacts that do not stand yet.
INSERT INTO contact (patient_id, place, name, relation, phone, channels, may_be_told, lives_with, entered_by, entered_at)
SELECT p.patient_id, w.place, w.name, w.relation, w.phone, w.channels, w.may_be_told, w.lives_with, %(person_id)s, %(now)s
  FROM jsonb_to_recordset(%(wanted)s) AS w (patient text, place smallint, name text, relation text, phone text,
       channels text[], may_be_told boolean, lives_with boolean) JOIN patient p ON p.key = w.patient
    ON CONFLICT (patient_id, place) WHERE ended_at IS NULL DO NOTHING;

-- name: add_consent
-- Record what somebody agreed to or took back; nothing where it stands already.
INSERT INTO consent (patient_id, purpose, version, given, given_by, guardian, at, recorded_by, recorded_at)
SELECT patient_id, %(purpose)s, %(version)s, %(given)s, %(given_by)s, %(guardian)s, %(at)s, %(person_id)s, %(now)s
  FROM patient WHERE key = %(patient)s ON CONFLICT DO NOTHING;

-- name: put_kit
-- Enter or change a kit; nothing where it is the same already.
INSERT INTO kit AS k (key, organisation_id, gateway_id)
SELECT %(key)s, o.organisation_id, %(gateway)s FROM organisation o WHERE o.key = %(organisation)s
    ON CONFLICT (key) DO UPDATE SET organisation_id = excluded.organisation_id, gateway_id = excluded.gateway_id
 WHERE (k.organisation_id, k.gateway_id) IS DISTINCT FROM (excluded.organisation_id, excluded.gateway_id);

-- name: unpack_kits
-- Take out of these kits what the file does not have in them.
DELETE FROM kit_device c USING kit k, device d
 WHERE c.kit_id = k.kit_id AND c.device_id = d.device_id AND k.key = ANY (%(spoken_of)s)
   AND NOT EXISTS (SELECT FROM unnest(%(kits)s::text[], %(devices)s::text[]) AS w (kit, device)
                    WHERE w.kit = k.key AND w.device = d.key);

-- name: pack_kits
-- Put devices into kits.
INSERT INTO kit_device AS c (kit_id, device_id)
SELECT k.kit_id, d.device_id FROM unnest(%(kits)s::text[], %(devices)s::text[]) AS w (kit, device)
  JOIN kit k ON k.key = w.kit JOIN device d ON d.key = w.device
    ON CONFLICT (device_id) DO UPDATE SET kit_id = excluded.kit_id WHERE c.kit_id <> excluded.kit_id;

-- name: end_long_sessions
-- A device that is shared from now on is worn by nobody for longer than a measurement.
UPDATE binding b SET valid = b.valid * tstzrange(NULL, %(now)s)
  FROM device d WHERE d.device_id = b.device_id AND d.shared
   AND COALESCE(upper(b.valid), 'infinity') > %(now)s::timestamptz + interval '10 minutes';

-- name: lock_patient
-- A patient and how he stands, nobody else changing him meanwhile.
SELECT p.patient_id, p.key, p.born_on, o.time_zone, o.organisation_id, f.key AS family_doctor, s.status, s.since
  FROM patient p JOIN organisation o USING (organisation_id) JOIN person f ON f.person_id = p.family_doctor_id
  JOIN care_patient_status s USING (patient_id) WHERE p.key = %(patient)s FOR UPDATE OF p;

-- name: role_of
-- What a person does.
SELECT role FROM person WHERE person_id = %(person_id)s;

-- name: add_status
-- Write down how a patient stands from now on.
INSERT INTO patient_status (patient_id, status, at, until, place, reason, person_id, entered_at)
VALUES (%(patient_id)s, %(status)s, %(at)s, %(until)s, %(place)s, %(reason)s, %(person_id)s, %(now)s);

-- name: worn_by
-- The devices that a patient wears at an instant, or will.
SELECT DISTINCT device_key FROM care_binding
 WHERE patient_id = %(patient_id)s AND (valid_until IS NULL OR valid_until > %(at)s) ORDER BY device_key;

-- name: end_bindings
-- End what a patient wears, at an instant.
UPDATE binding SET valid = valid * tstzrange(NULL, %(at)s)
 WHERE patient_id = %(patient_id)s AND COALESCE(upper(valid), 'infinity') > %(at)s::timestamptz;

-- name: review_colour
-- Somebody has looked at a colour: what stood to be reviewed until this assessment is done with.
UPDATE risk_assessment a SET reviewed_by = %(person_id)s, reviewed_at = %(now)s
  FROM patient p WHERE p.patient_id = a.patient_id AND p.key = %(patient)s AND a.review <> ''
   AND a.reviewed_at IS NULL AND a.assessment_id <= %(assessment_id)s;

-- name: lock_kit
-- A kit with what is in it and who has it, nobody else lending it meanwhile.
SELECT k.kit_id, k.gateway_id, k.organisation_id,
       ARRAY(SELECT d.key FROM kit_device c JOIN device d USING (device_id) WHERE c.kit_id = k.kit_id ORDER BY d.key)
           AS devices,
       (SELECT l.loan_id FROM kit_loan l WHERE l.kit_id = k.kit_id AND l.returned_at IS NULL) AS loan_id,
       (SELECT p.key FROM kit_loan l JOIN patient p USING (patient_id) WHERE l.kit_id = k.kit_id
           AND l.returned_at IS NULL) AS patient
  FROM kit k WHERE k.key = %(kit)s FOR UPDATE;

-- name: wearers_of
-- Who wears these devices now.
SELECT b.device_key, p.key AS patient FROM care_binding b JOIN patient p USING (patient_id)
 WHERE b.device_key = ANY (%(devices)s) AND b.valid_from <= %(now)s AND (b.valid_until IS NULL OR b.valid_until > %(now)s)
 ORDER BY b.device_key;

-- name: lend_kit
-- Note to whom a kit is lent.
INSERT INTO kit_loan (kit_id, patient_id, lent_at, lent_by)
VALUES (%(kit_id)s, %(patient_id)s, %(now)s, %(person_id)s);

-- name: return_kit
-- Note how a kit came back.
UPDATE kit_loan SET returned_at = %(now)s, returned_by = %(person_id)s, state = %(state)s, missing = %(missing)s
 WHERE loan_id = %(loan_id)s AND returned_at IS NULL;

-- name: shared_device
-- A device that is shared.
SELECT device_id FROM device WHERE key = %(device)s AND shared FOR UPDATE;

-- name: key_of
-- The key that people use of a patient.
SELECT key FROM patient WHERE patient_id = %(patient_id)s;

-- name: device_of_key
-- A device by the key in the registry.
SELECT device_id FROM device WHERE key = %(device)s;

-- name: patient_number
-- A patient by the key in the registry.
SELECT patient_id FROM patient WHERE key = %(key)s;

-- name: bindings_in_time
-- Who wore a device in some part of a time (NULL: without end), in order; infinite bounds come as NULL.
SELECT b.binding_id, b.patient_id, b.entered_at,
       CASE WHEN isfinite(lower(b.valid)) THEN lower(b.valid) END AS since,
       CASE WHEN isfinite(upper(b.valid)) THEN upper(b.valid) END AS until
  FROM binding b
 WHERE b.device_id = %(device_id)s AND b.valid && tstzrange(%(since)s, %(until)s) ORDER BY b.valid FOR UPDATE;

-- name: drop_binding
-- Take a binding away that was not true.
DELETE FROM binding WHERE binding_id = %(binding_id)s;

-- name: add_binding
-- Bind a device as it was worn.
INSERT INTO binding (device_id, patient_id, valid, entered_at)
VALUES (%(device_id)s, %(patient_id)s, %(valid)s, %(entered_at)s);

-- name: add_correction
-- Write down what was corrected, by whom and why.
INSERT INTO binding_correction (device_id, from_patient_id, to_patient_id, since, until, reason, person_id, at)
VALUES (%(device_id)s, %(of_id)s, %(to_id)s, %(since)s, %(until)s, %(reason)s, %(person_id)s, %(now)s)
RETURNING correction_id;
