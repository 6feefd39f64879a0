-- The console's and the wall's SQL. A statement starts with a line `-- name: <name>`, then what it is for.

-- name: session_open
-- Record a new session.
INSERT INTO console_session (token_hash, person_id, csrf, created_at, seen_at, expires_at)
VALUES (%(token_hash)s, %(person_id)s, %(csrf)s, %(now)s, %(now)s, %(expires_at)s);

-- name: session_viewer
-- Who holds this session, with the rights of today, not of the time of signing in.
SELECT p.person_id, p.key, p.name, p.name_en, p.role, p.service_tier, p.organisation_id, s.csrf, s.seen_at
  FROM console_session s JOIN care_person p USING (person_id)
 WHERE s.token_hash = %(token_hash)s AND s.expires_at > %(now)s;

-- name: session_seen
-- Push a session's end out while it is used.
UPDATE console_session SET seen_at = %(now)s, expires_at = %(expires_at)s WHERE token_hash = %(token_hash)s;

-- name: session_close
-- End a session, and sweep those that ended by themselves.
DELETE FROM console_session WHERE token_hash = %(token_hash)s OR expires_at <= %(now)s;

-- name: failures
-- How often this key from this address, this key, and this address failed lately.
SELECT count(*) FILTER (WHERE key_hash = %(key_hash)s AND address = %(address)s) AS both,
       count(*) FILTER (WHERE key_hash = %(key_hash)s) AS key,
       count(*) FILTER (WHERE address = %(address)s) AS address
  FROM sign_in_failure WHERE at > %(since)s;

-- name: failure_record
-- Remember a failed sign-in.
INSERT INTO sign_in_failure (key_hash, address, at) VALUES (%(key_hash)s, %(address)s, %(now)s);

-- name: failure_forget
-- Keep no failure longer than a day, and none of a key that has signed in.
DELETE FROM sign_in_failure
 WHERE at < %(before)s OR (key_hash = %(key_hash)s AND address = %(address)s AND %(signed_in)s);

-- name: county_of
-- The topmost organisation above one: the county.
SELECT ancestor_id FROM care_organisation_ancestor
 WHERE organisation_id = %(organisation_id)s ORDER BY distance DESC LIMIT 1;

-- name: subtree
-- An organisation and all below it.
SELECT organisation_id FROM care_organisation_ancestor WHERE ancestor_id = %(organisation_id)s ORDER BY organisation_id;

-- name: organisation_by_key
-- What a wall display stands for.
SELECT organisation_id, key, name, name_en, time_zone FROM care_organisation WHERE key = %(key)s;

-- name: inbox
-- Open episodes in scope, most urgent first, and the centre's, which concern all below it; one more than the bound
-- tells that there are more.
SELECT e.episode_id, e.patient_id, e.family, e.technical, e.rule, e.priority, e.emergency, e.tier3, e.condition,
       e.state, e.step, e.service_tier, e.since, e.raised_at, e.detected_at, e.alarmed_at, e.due_at, e.raise_count,
       e.cleared_at, e.acknowledged_by, e.acknowledged_at, e.closed_by, e.closed_at, e.disposition, e.evidence,
       e.profile_hash, e.subject, e.gateway_id
  FROM open_episode e
 WHERE e.organisation_id = ANY (%(organisations)s)
    OR (e.subject LIKE 'centre:%%' AND EXISTS (
        SELECT FROM care_organisation_ancestor a
         WHERE a.ancestor_id = e.organisation_id AND a.organisation_id = ANY (%(organisations)s)))
 ORDER BY e.rank, e.due_at, e.episode_id
 LIMIT %(most)s;

-- name: episode_in_scope
-- One episode, open or closed, if its patient is in scope.
SELECT e.episode_id, e.patient_id, e.family, e.technical, e.rule, e.priority, e.emergency, e.tier3, e.condition,
       e.state, e.step, e.service_tier, e.since, e.raised_at, e.detected_at, e.alarmed_at, e.due_at, e.raise_count,
       e.cleared_at, e.acknowledged_by, e.acknowledged_at, e.closed_by, e.closed_at, e.disposition, e.evidence,
       e.profile_hash, e.subject, e.gateway_id
  FROM episode e LEFT JOIN care_patient p USING (patient_id)
 WHERE e.episode_id = %(episode_id)s AND COALESCE(p.organisation_id, e.organisation_id) = ANY (%(organisations)s);

-- name: sites
-- What episodes that are no patient's are about: a gateway, a device, the centre; and whose that is.
SELECT e.episode_id, e.subject, COALESCE(NULLIF(g.place, ''), e.gateway_id, o.name) AS name,
       COALESCE(NULLIF(g.place, ''), e.gateway_id, o.name_en) AS name_en,
       CASE WHEN e.subject LIKE 'device:%%' THEN substr(e.subject, 8)
            WHEN e.subject LIKE 'roster:%%' THEN split_part(e.subject, ':', 3)
            WHEN e.subject LIKE 'storm:%%' THEN split_part(e.subject, ':', 2) ELSE COALESCE(e.gateway_id, '') END AS bed,
       o.organisation_id, o.name AS organisation_name, o.name_en AS organisation_name_en, o.time_zone
  FROM episode e JOIN care_organisation o USING (organisation_id)
  LEFT JOIN care_gateway g ON g.gateway_id = e.gateway_id
 WHERE e.episode_id = ANY (%(episodes)s);

-- name: episodes_of_subject
-- The episodes of a gateway, a device or the centre, open ones first, then the newest.
SELECT e.episode_id, e.patient_id, e.family, e.technical, e.rule, e.priority, e.emergency, e.tier3, e.condition,
       e.state, e.step, e.service_tier, e.since, e.raised_at, e.detected_at, e.alarmed_at, e.due_at, e.raise_count,
       e.cleared_at, e.acknowledged_by, e.acknowledged_at, e.closed_by, e.closed_at, e.disposition, e.evidence,
       e.profile_hash, e.subject, e.gateway_id
  FROM episode e LEFT JOIN open_episode o USING (episode_id)
 WHERE e.subject = %(subject)s AND e.organisation_id = ANY (%(organisations)s)
 ORDER BY o.rank NULLS LAST, o.due_at, e.since DESC
 LIMIT %(most)s;

-- name: episodes_of_patient
-- A patient's episodes, open ones first by urgency, then the newest.
SELECT e.episode_id, e.patient_id, e.family, e.technical, e.rule, e.priority, e.emergency, e.tier3, e.condition,
       e.state, e.step, e.service_tier, e.since, e.raised_at, e.detected_at, e.alarmed_at, e.due_at, e.raise_count,
       e.cleared_at, e.acknowledged_by, e.acknowledged_at, e.closed_by, e.closed_at, e.disposition, e.evidence,
       e.profile_hash, e.subject, e.gateway_id
  FROM episode e LEFT JOIN open_episode o USING (episode_id)
 WHERE e.patient_id = %(patient_id)s
 ORDER BY o.rank NULLS LAST, o.due_at, e.since DESC
 LIMIT %(most)s;

-- name: patients
-- Who the patients are.
SELECT patient_id, key, name, initials, bed, born_on, sex, risk_colour, service_tier, special_groups, household_phone,
       family_doctor_id, family_doctor_name, family_doctor_name_en, organisation_id, organisation_name,
       organisation_name_en, time_zone
  FROM care_patient WHERE patient_id = ANY (%(patients)s);

-- name: patient_in_scope
-- One patient by key, if in scope.
SELECT patient_id, key, name, initials, bed, born_on, sex, risk_colour, service_tier, special_groups, household_phone,
       family_doctor_id, family_doctor_name, family_doctor_name_en, organisation_id, organisation_name,
       organisation_name_en, time_zone
  FROM care_patient WHERE key = %(key)s AND organisation_id = ANY (%(organisations)s);

-- name: monitored
-- Everyone in scope who wears a device now or has an open episode, by bed.
SELECT patient_id, key, name, initials, bed, born_on, sex, risk_colour, service_tier, special_groups, household_phone,
       family_doctor_id, family_doctor_name, family_doctor_name_en, organisation_id, organisation_name,
       organisation_name_en, time_zone
  FROM care_patient p
 WHERE organisation_id = ANY (%(organisations)s)
   AND (EXISTS (SELECT FROM care_binding b WHERE b.patient_id = p.patient_id AND b.valid_from <= %(now)s
                   AND (b.valid_until IS NULL OR b.valid_until > %(now)s))
        OR EXISTS (SELECT FROM open_episode e WHERE e.patient_id = p.patient_id))
 ORDER BY bed, key
 LIMIT %(most)s;

-- name: newest
-- The newest word of each signal of these patients, whichever device said it.
SELECT DISTINCT ON (l.patient_id, l.signal)
       l.patient_id, l.signal, l.acquisition, l.value, l.quality, l.reason, l.measured_at, l.good_measured_at,
       d.expected_every_s
  FROM latest l
  LEFT JOIN LATERAL (SELECT b.expected_every_s FROM care_binding b WHERE b.device_id = l.device_id LIMIT 1) d ON true
 WHERE l.patient_id = ANY (%(patients)s) AND l.signal = ANY (%(signals)s)
 ORDER BY l.patient_id, l.signal, l.measured_at DESC;

-- name: events
-- What was done about these episodes, in order.
SELECT episode_id, event_id, at, kind, actor_id, channel, from_state, to_state, detail
  FROM episode_event WHERE episode_id = ANY (%(episodes)s) ORDER BY event_id DESC LIMIT %(most)s;

-- name: notices
-- Whom these episodes told, and what came of it.
SELECT n.notice_id, n.episode_id, n.recipient, coalesce(nullif(p.name_en, ''), n.recipient) AS recipient_en,
       n.audience, n.step, split_part(n.channel_url, ':', 1) AS channel, n.created_at, n.due_at, n.attempts, n.sent_at,
       n.outcome
  FROM notice n LEFT JOIN care_person p ON p.person_id = n.recipient_id
 WHERE n.episode_id = ANY (%(episodes)s) AND n.outcome <> 'in reserve' ORDER BY n.notice_id DESC LIMIT %(most)s;

-- name: asked
-- What this patient's household was asked lately, beside its alarms, and what came of it.
SELECT n.notice_id, n.created_at, n.due_at, n.sent_at, n.attempts, n.outcome, n.body,
       split_part(n.channel_url, ':', 1) AS channel
  FROM notice n
 WHERE n.patient_id = %(patient_id)s AND n.created_at > %(since)s ORDER BY n.notice_id DESC LIMIT %(most)s;

-- name: held_to
-- What the intake log says a patient is held to; nothing of whoever is held to the profile's own limits.
SELECT said FROM limits_said WHERE patient_id = %(patient_id)s;

-- name: people
-- Names of those who acted.
SELECT person_id, name, name_en FROM care_person WHERE person_id = ANY (%(people)s);

-- name: profiles
-- The clinical profiles under which episodes were decided.
SELECT profile_hash, body FROM clinical_profile WHERE profile_hash = ANY (%(hashes)s);

-- name: newest_profile
-- The clinical profile in force.
SELECT profile_hash, body FROM clinical_profile ORDER BY loaded_at DESC LIMIT 1;

-- name: series
-- Signals over time in buckets of step_s seconds: good values as min, mean, max; the others apart.
SELECT signal,
       (floor(extract(epoch FROM measured_at) / %(step_s)s) * %(step_s)s)::float8 AS bucket_s,
       min(value) FILTER (WHERE quality = 0)::float8 AS low,
       avg(value) FILTER (WHERE quality = 0)::float8 AS mean,
       max(value) FILTER (WHERE quality = 0)::float8 AS high,
       min(value) FILTER (WHERE quality > 0)::float8 AS doubtful,
       bool_or(value IS NULL AND quality > 0) AS refused,
       bool_or(acquisition = 0) AS continuous
  FROM reading
 WHERE patient_id = %(patient_id)s AND measured_at >= %(since)s AND measured_at <= %(until)s
   AND signal = ANY (%(signals)s)
 GROUP BY 1, 2
 ORDER BY 1, 2;

-- name: fleet
-- The gateways in scope with their newest words, those that are not there first; by place, id or organisation.
-- Who is there: as dashboards/gateways.py judges it.
SELECT g.gateway_id, g.place, g.organisation_id, g.organisation_name, g.organisation_name_en, o.time_zone,
       s.online, s.received_at, s.heartbeat_at, s.heartbeat, http.sends AS sends_http
  FROM care_gateway g JOIN care_organisation o USING (organisation_id)
  LEFT JOIN gateway_status s USING (gateway_id)
  CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM http_sender h WHERE h.gateway_id = g.gateway_id) AS sends) AS http
  CROSS JOIN LATERAL (
    SELECT s.online AND s.heartbeat_at >= %(now)s - make_interval(
        secs => least(greatest(%(beats)s * coalesce(
            jsonb_path_query_first(s.heartbeat, 'strict $.heartbeat_s ? (@ > -1e15 && @ < 1e15)', '{}', true)::numeric,
            %(heartbeat_s)s), %(fresh_s_min)s), %(fresh_s_max)s)::float8) AS live
  ) AS judged
 WHERE g.organisation_id = ANY (%(organisations)s)
   AND (%(gateway_id)s::text IS NULL OR g.gateway_id = %(gateway_id)s)
   AND strpos(lower(concat_ws(' ', g.place, g.gateway_id, g.organisation_name, g.organisation_name_en)),
              lower(%(wanted)s)) > 0
 ORDER BY coalesce(judged.live, s.online IS NULL AND http.sends), g.place, g.gateway_id
 LIMIT %(most)s;

-- name: fleet_counts
-- How many gateways in scope are there, silent, gone, without a word of their own but heard over HTTP, and never heard of.
SELECT count(*) FILTER (WHERE judged.live) AS online,
       count(*) FILTER (WHERE s.online AND judged.live IS NOT TRUE) AS silent,
       count(*) FILTER (WHERE NOT s.online) AS offline,
       count(*) FILTER (WHERE s.online IS NULL AND http.sends) AS http,
       count(*) FILTER (WHERE s.online IS NULL AND NOT http.sends) AS never
  FROM care_gateway g
  LEFT JOIN gateway_status s USING (gateway_id)
  CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM http_sender h WHERE h.gateway_id = g.gateway_id) AS sends) AS http
  CROSS JOIN LATERAL (
    SELECT s.online AND s.heartbeat_at >= %(now)s - make_interval(
        secs => least(greatest(%(beats)s * coalesce(
            jsonb_path_query_first(s.heartbeat, 'strict $.heartbeat_s ? (@ > -1e15 && @ < 1e15)', '{}', true)::numeric,
            %(heartbeat_s)s), %(fresh_s_min)s), %(fresh_s_max)s)::float8) AS live
  ) AS judged
 WHERE g.organisation_id = ANY (%(organisations)s);

-- name: fleet_senders
-- What came over HTTP for these gateways, and what of it was refused since an instant: readings, or messages that could
-- not be read (each kept once, however often it comes).
SELECT h.gateway_id, h.asked_at, a.came_at, coalesce(a.taken - a.repeated, 0)::bigint - r.refused AS stored, r.refused,
       coalesce(l.readings, '{}') AS refused_lately, coalesce(l.messages, '{}') AS unread_lately
  FROM (SELECT gateway_id, max(last_at) AS asked_at FROM http_sender
         WHERE gateway_id = ANY (%(gateways)s) GROUP BY gateway_id) h
  LEFT JOIN LATERAL (
    SELECT max(received_at) AS came_at, sum(repeated) AS repeated,
           sum((SELECT sum(upper(part) - lower(part)) FROM unnest(taken) part)) AS taken
      FROM outbox_account WHERE outbox_account.gateway_id = h.gateway_id) a ON true
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(readings), 0)::bigint AS refused
      FROM outbox_account JOIN rejected USING (outbox_id)
     WHERE outbox_account.gateway_id = h.gateway_id AND rejected.source = h.gateway_id AND rejected.readings > 0) r
  LEFT JOIN LATERAL (
    SELECT jsonb_object_agg(reason, readings) FILTER (WHERE readings > 0) AS readings,
           jsonb_object_agg(reason, messages) FILTER (WHERE messages > 0) AS messages
      FROM (SELECT reason, sum(readings) FILTER (WHERE outbox_id IS NOT NULL) AS readings,
                   count(*) FILTER (WHERE outbox_id IS NULL AND lifted_at IS NULL) AS messages
              FROM rejected
             WHERE source = h.gateway_id
               AND (received_at >= %(since)s OR (outbox_id IS NULL AND last_received_at >= %(since)s))
             GROUP BY reason) by_reason) l ON true;

-- name: fleet_tokens
-- Who sends over HTTP for these gateways, the newest first.
SELECT h.gateway_id, h.name, coalesce(o.name, '') AS organisation_name, coalesce(o.name_en, '') AS organisation_name_en,
       h.last_at, h.revoked_at
  FROM http_sender h LEFT JOIN care_organisation o USING (organisation_id)
 WHERE h.gateway_id = ANY (%(gateways)s) ORDER BY h.gateway_id, h.last_at DESC, h.token_id DESC;

-- name: fleet_claims
-- What these gateways are to read.
SELECT gateway_id, device_key, kind, driver, claimed_at FROM care_claim
 WHERE gateway_id = ANY (%(gateways)s) AND released_at IS NULL ORDER BY claimed_at, device_key;

-- name: fleet_devices
-- These devices as the registry knows them: who wears them now, their newest readings, which gateways read them.
SELECT d.device_key, d.kind, p.key AS patient_key, p.name AS patient_name, p.bed, p.organisation_id,
       (SELECT max(l.measured_at) FROM latest l
         WHERE l.patient_id = b.patient_id AND l.device_id = d.device_id) AS measured_at,
       ARRAY(SELECT c.gateway_id FROM care_claim c
              WHERE c.device_id = d.device_id AND c.released_at IS NULL ORDER BY c.gateway_id) AS read_by
  FROM care_device d
  LEFT JOIN care_binding b ON b.device_id = d.device_id AND tstzrange(b.valid_from, b.valid_until) @> %(now)s::timestamptz
  LEFT JOIN care_patient p USING (patient_id)
 WHERE d.device_key = ANY (%(devices)s);

-- name: wearers
-- Patients in scope who may be given a device, those of the gateway's own organisation first; with what they wear.
SELECT p.key, p.name, p.initials, p.bed, p.organisation_name, p.organisation_name_en,
       ARRAY(SELECT DISTINCT b.kind FROM care_binding b WHERE b.patient_id = p.patient_id
                AND tstzrange(b.valid_from, b.valid_until) @> %(now)s::timestamptz ORDER BY b.kind) AS wears
  FROM care_patient p
 WHERE p.organisation_id = ANY (%(organisations)s)
   AND strpos(lower(concat_ws(' ', p.name, p.initials, p.bed, p.key)), lower(%(wanted)s)) > 0
 ORDER BY p.organisation_id <> %(organisation_id)s, p.bed, p.key
 LIMIT %(most)s;

-- name: registry_patients
-- Patients in scope who fit what was typed, with what somebody has to do about them first.
SELECT p.patient_id, p.key, p.name, p.initials, p.bed, p.born_on, p.sex, p.risk_colour, p.service_tier,
       p.special_groups, p.household_phone, p.organisation_name, p.organisation_name_en, p.time_zone, p.family_doctor_name,
       p.family_doctor_name_en, s.status, s.since, s.until, s.place, s.reason, r.assessment_id, r.review,
       ARRAY(SELECT b.device_key FROM care_binding b WHERE b.patient_id = p.patient_id AND b.valid_from <= %(now)s
                AND (b.valid_until IS NULL OR b.valid_until > %(now)s) ORDER BY 1) AS devices,
       EXISTS (SELECT FROM care_consent c WHERE c.patient_id = p.patient_id AND c.purpose = 'telemonitoring'
                  AND NOT c.given) AS withdrawn,
       (SELECT k.kit_key FROM care_kit k WHERE k.patient_id = p.patient_id ORDER BY k.lent_at LIMIT 1) AS kit_key
  FROM care_patient p JOIN care_patient_status s USING (patient_id) LEFT JOIN care_colour_to_review r USING (patient_id)
 WHERE p.organisation_id = ANY (%(organisations)s) AND (%(key)s::text IS NULL OR p.key = %(key)s)
   AND strpos(lower(concat_ws(' ', p.name, p.initials, p.bed, p.key)), lower(%(wanted)s)) > 0
   AND (NOT %(to_review)s OR r.assessment_id IS NOT NULL)
 ORDER BY r.assessment_id IS NULL, p.bed, p.key
 LIMIT %(most)s;

-- name: to_unbind
-- Who in scope has withdrawn from telemonitoring, or is discharged, and still wears a device.
SELECT p.key, p.name, p.bed, s.status, b.device_key, b.kind
  FROM care_patient p JOIN care_patient_status s USING (patient_id)
  JOIN care_binding b ON b.patient_id = p.patient_id AND b.valid_from <= %(now)s
   AND (b.valid_until IS NULL OR b.valid_until > %(now)s)
 WHERE p.organisation_id = ANY (%(organisations)s)
   AND (s.status = 'discharged' OR EXISTS (SELECT FROM care_consent c WHERE c.patient_id = p.patient_id
                                               AND c.purpose = 'telemonitoring' AND NOT c.given))
 ORDER BY p.bed, p.key, b.device_key LIMIT %(most)s;

-- name: contacts
-- Whom to ask about a patient, in order, and whether alarms are told to him.
SELECT c.name, c.relation, c.phone, c.channels, c.may_be_told, c.lives_with,
       EXISTS (SELECT FROM care_household h WHERE h.patient_id = c.patient_id AND h.place = c.place) AS is_told
  FROM care_contact c WHERE c.patient_id = %(patient_id)s ORDER BY c.place;

-- name: consents
-- What a patient has agreed to, or taken back, as it holds now.
SELECT purpose, version, given, given_by, guardian, at FROM care_consent WHERE patient_id = %(patient_id)s ORDER BY purpose;

-- name: team_of
-- Who is in a patient's team now.
SELECT m.team_name, m.member_role, m.name, m.name_en, m.helper
  FROM care_team_patient t JOIN care_team_member m USING (team_id)
 WHERE t.patient_id = %(patient_id)s AND t.until IS NULL AND m.left_at IS NULL
 ORDER BY array_position(ARRAY['family_doctor', 'nurse', 'village_doctor', 'helper'], m.member_role), m.helper;

-- name: status_history
-- How a patient stood, newest first.
SELECT status, at, until, place, reason, person_name, person_name_en
  FROM care_patient_status_history WHERE patient_id = %(patient_id)s ORDER BY status_id DESC LIMIT %(most)s;

-- name: worn_devices
-- What a patient wore and wears, newest first.
SELECT device_key, kind, valid_from, valid_until FROM care_binding
 WHERE patient_id = %(patient_id)s ORDER BY valid_until IS NOT NULL, valid_from DESC, device_key LIMIT %(most)s;

-- name: device_in_scope
-- A device that somebody in scope wears or wore, or a gateway in scope reads, or that is in a kit in scope.
SELECT d.device_id, d.device_key, d.kind FROM care_device d
 WHERE d.device_key = %(device)s AND (
       EXISTS (SELECT FROM care_binding b JOIN care_patient p USING (patient_id)
                WHERE b.device_id = d.device_id AND p.organisation_id = ANY (%(organisations)s))
    OR EXISTS (SELECT FROM care_claim c JOIN care_gateway g USING (gateway_id)
                WHERE c.device_id = d.device_id AND g.organisation_id = ANY (%(organisations)s))
    OR EXISTS (SELECT FROM care_kit k WHERE d.device_key = ANY (k.devices)
                  AND k.organisation_id = ANY (%(organisations)s)));

-- name: bindings_of_device
-- Who wore a device, newest first; who is out of sight has no name.
SELECT b.valid_from, b.valid_until, p.patient_id IS NOT NULL AS in_sight, p.key, p.name, p.bed, p.time_zone
  FROM care_binding b
  LEFT JOIN care_patient p ON p.patient_id = b.patient_id AND p.organisation_id = ANY (%(organisations)s)
 WHERE b.device_id = %(device_id)s ORDER BY b.valid_from DESC NULLS LAST LIMIT %(most)s;

-- name: corrections
-- What was corrected of a device, or about a patient, newest first, and how far it is carried out; who is out of sight
-- has no name.
SELECT c.correction_id, c.device_key, c.kind, c.since, c.until, c.reason, c.at, c.person_name, c.person_name_en,
       c.from_patient_id IS NULL AS of_nobody, f.key AS of_key, f.name AS of_name,
       c.to_patient_id IS NULL AS to_nobody, t.key AS to_key, t.name AS to_name,
       COALESCE(m.samples, 0) AS samples, COALESCE(m.aside, 0) AS aside, m.judged_from, m.moved_at, m.done_at,
       ARRAY(SELECT v.episode_id FROM episode_event v
              WHERE v.kind = 'decided' AND v.at = c.at AND v.detail ->> 'correction' = c.correction_id::text
              ORDER BY 1) AS closed
  FROM care_binding_correction c LEFT JOIN sample_moved m USING (correction_id)
  LEFT JOIN care_patient f ON f.patient_id = c.from_patient_id AND f.organisation_id = ANY (%(organisations)s)
  LEFT JOIN care_patient t ON t.patient_id = c.to_patient_id AND t.organisation_id = ANY (%(organisations)s)
 WHERE (%(device_id)s::integer IS NULL OR c.device_id = %(device_id)s)
   AND (%(patient_id)s::integer IS NULL OR %(patient_id)s IN (c.from_patient_id, c.to_patient_id))
 ORDER BY c.correction_id DESC LIMIT %(most)s;

-- name: open_alarms
-- How many alarms of a patient are open, and whether one is a case of tier 3.
SELECT count(*) AS open_alarms, COALESCE(bool_or(tier3), false) AS case_open
  FROM open_episode WHERE patient_id = %(patient_id)s;

-- name: kits
-- Kits in scope: to whom each is lent, what is overdue first; else how it came back last.
SELECT k.kit_key, o.name AS organisation_name, o.name_en AS organisation_name_en, o.time_zone, k.gateway_id, k.devices,
       k.lent_at, p.key AS patient_key, p.name AS patient_name, p.bed, s.status, l.returned_at, l.state, l.missing
  FROM care_kit k JOIN care_organisation o USING (organisation_id)
  LEFT JOIN care_patient p ON p.patient_id = k.patient_id LEFT JOIN care_patient_status s ON s.patient_id = k.patient_id
  LEFT JOIN LATERAL (SELECT r.returned_at, r.state, r.missing FROM care_kit_loan r
                      WHERE r.kit_id = k.kit_id AND r.returned_at IS NOT NULL ORDER BY r.returned_at DESC LIMIT 1) l ON true
 WHERE k.organisation_id = ANY (%(organisations)s)
 ORDER BY s.status IN ('discharged', 'dead') DESC NULLS LAST, k.lent_at IS NULL, k.lent_at, k.kit_key LIMIT %(most)s;

-- name: shared_devices
-- Shared devices that gateways in scope read, who has been chosen for each now and until when.
SELECT d.device_key, d.kind, min(g.organisation_id) AS organisation_id, min(g.place) AS place,
       min(o.time_zone) AS time_zone, p.key AS patient_key, p.name AS patient_name, p.bed, b.valid_until
  FROM care_shared_device d JOIN care_claim c ON c.device_id = d.device_id AND c.released_at IS NULL
  JOIN care_gateway g ON g.gateway_id = c.gateway_id JOIN care_organisation o ON o.organisation_id = g.organisation_id
  LEFT JOIN care_binding b ON b.device_id = d.device_id AND b.valid_from <= %(now)s AND b.valid_until > %(now)s
  LEFT JOIN care_patient p ON p.patient_id = b.patient_id
 WHERE g.organisation_id = ANY (%(organisations)s)
 GROUP BY d.device_key, d.kind, p.key, p.name, p.bed, b.valid_until ORDER BY place, d.device_key LIMIT %(most)s;

-- name: residents
-- Who lives where a shared device stands, and may be measured: neither dead nor discharged.
SELECT p.key, p.name, p.initials, p.bed, p.risk_colour FROM care_patient p JOIN care_patient_status s USING (patient_id)
  JOIN care_organisation_ancestor a ON a.organisation_id = p.organisation_id AND a.ancestor_id = %(organisation_id)s
 WHERE p.organisation_id = ANY (%(organisations)s) AND s.status NOT IN ('dead', 'discharged')
 ORDER BY p.bed, p.key LIMIT %(most)s;

-- name: accounts
-- What became of the readings of each gateway in scope, those with losses first; every outbox it ever had is in it.
SELECT g.gateway_id, g.place, g.organisation_name, g.organisation_name_en, o.time_zone,
       LEAST(coalesce(s.accepted, 0), 9e18)::bigint AS accepted, LEAST(coalesce(s.stored, 0), 9e18)::bigint AS stored,
       LEAST(coalesce(s.repeated, 0), 9e18)::bigint AS repeated,
       LEAST(coalesce(s.rejected, 0), 9e18)::bigint AS rejected,
       LEAST(coalesce(s.thinned, 0), 9e18)::bigint AS thinned,
       LEAST(coalesce(s.on_the_way, 0), 9e18)::bigint AS on_the_way,
       LEAST(coalesce(s.lost, 0), 9e18)::bigint AS lost,
       LEAST(coalesce(s.unexplained, 0), 9e18)::bigint AS unexplained,
       s.said_at,
       (SELECT min(n.since) FROM outbox_noticed n WHERE n.gateway_id = g.gateway_id AND n.kind = 'lost') AS lost_since,
       (SELECT min(n.since) FROM outbox_noticed n WHERE n.gateway_id = g.gateway_id AND n.kind = 'on_the_way')
           AS waiting_since,
       coalesce((SELECT jsonb_object_agg(r.reason, r.readings)
                   FROM (SELECT reason, sum(readings) AS readings FROM rejected
                          WHERE source = g.gateway_id AND outbox_id IS NOT NULL AND readings > 0
                          GROUP BY reason) r), '{}') AS reasons
  FROM care_gateway g JOIN care_organisation o USING (organisation_id)
  LEFT JOIN LATERAL (
    SELECT sum(accepted) AS accepted, sum(taken - rejected - repeated) AS stored, sum(repeated) AS repeated,
           sum(rejected) AS rejected, sum(thinned) AS thinned, sum(on_the_way) AS on_the_way, sum(lost) AS lost,
           sum(unexplained) AS unexplained, max(said_at) AS said_at
      FROM outbox_standing WHERE outbox_standing.gateway_id = g.gateway_id) s ON true
 WHERE g.organisation_id = ANY (%(organisations)s)
 ORDER BY coalesce(s.lost, 0) DESC, coalesce(s.unexplained, 0) DESC, g.place, g.gateway_id
 LIMIT %(most)s;

-- name: accounts_total
-- The same of all gateways in scope together.
SELECT LEAST(coalesce(sum(s.accepted), 0), 9e18)::bigint AS accepted,
       LEAST(coalesce(sum(s.taken - s.rejected - s.repeated), 0), 9e18)::bigint AS stored,
       LEAST(coalesce(sum(s.repeated), 0), 9e18)::bigint AS repeated,
       LEAST(coalesce(sum(s.rejected), 0), 9e18)::bigint AS rejected,
       LEAST(coalesce(sum(s.thinned), 0), 9e18)::bigint AS thinned,
       LEAST(coalesce(sum(s.on_the_way), 0), 9e18)::bigint AS on_the_way,
       LEAST(coalesce(sum(s.lost), 0), 9e18)::bigint AS lost,
       LEAST(coalesce(sum(s.unexplained), 0), 9e18)::bigint AS unexplained
  FROM outbox_standing s JOIN care_gateway g USING (gateway_id)
 WHERE g.organisation_id = ANY (%(organisations)s);

-- name: organisations_in_scope
-- The organisations in scope that have patients, or have any below them.
SELECT o.organisation_id, o.key, o.name, o.name_en FROM care_organisation o
 WHERE o.organisation_id = ANY (%(organisations)s)
   AND EXISTS (SELECT FROM care_patient p JOIN care_organisation_ancestor a USING (organisation_id)
                WHERE a.ancestor_id = o.organisation_id)
 ORDER BY o.organisation_id;

-- name: patients_by_key
-- Patients by key, as far as they are in scope.
SELECT patient_id, key, name, initials, bed, born_on, sex, risk_colour, service_tier, special_groups, household_phone,
       family_doctor_id, family_doctor_name, family_doctor_name_en, organisation_id, organisation_name,
       organisation_name_en, time_zone
  FROM care_patient WHERE key = ANY (%(keys)s) AND organisation_id = ANY (%(organisations)s);

-- name: referrals
-- Referrals of patients in scope, and those for which a hospital in scope is asked or has the patient.
SELECT r.referral_id, r.episode_id, p.key AS patient_key, p.name AS patient_name, p.initials, p.bed, p.born_on, p.sex,
       p.risk_colour, p.household_phone, p.organisation_name, p.organisation_name_en, p.time_zone,
       p.organisation_id = ANY (%(patients)s) AS in_scope, e.rule, r.priority, e.emergency, r.picture, r.clause,
       r.destination, r.ward, r.vehicle, r.needs, r.stage, r.facility_id, f.name AS facility_name,
       f.name_en AS facility_name_en, f.duty_phone, r.candidates, r.chases, r.due_at, r.note, r.opened_at,
       r.accepted_at, r.departed_at, r.arrived_at, r.admitted_at, r.discharged_at, r.returned_at, r.ended_at, r.ended_as
  FROM referral r JOIN care_patient p USING (patient_id) JOIN episode e USING (episode_id)
  LEFT JOIN care_facility f USING (facility_id)
 WHERE (p.organisation_id = ANY (%(patients)s) OR r.facility_id = ANY (%(facilities)s)
        OR p.organisation_id = ANY (%(serves)s))
   AND (r.referral_id = %(referral_id)s OR (%(referral_id)s::bigint IS NULL
        AND (r.stage <> 'ended' OR r.ended_at >= %(ended_since)s::timestamptz)))
 ORDER BY r.stage = 'ended', r.due_at, r.referral_id LIMIT %(most)s;

-- name: referral_history
-- What was said of these referrals, in order.
SELECT v.referral_id, v.at, v.kind, v.to_stage, v.refusal, v.note, p.name AS actor_name, p.name_en AS actor_name_en,
       f.name AS facility_name, f.name_en AS facility_name_en
  FROM referral_event v LEFT JOIN care_person p ON p.person_id = v.actor_id
  LEFT JOIN care_facility f USING (facility_id)
 WHERE v.referral_id = ANY (%(referral_ids)s) ORDER BY v.event_id;

-- name: refusals
-- Which hospitals did not take whom, newest first.
SELECT v.at, v.refusal, v.note, v.clause, f.name AS facility_name, f.name_en AS facility_name_en, p.initials, p.bed,
       p.time_zone
  FROM refusal v JOIN care_patient p USING (patient_id) LEFT JOIN care_facility f USING (facility_id)
 WHERE v.at >= %(since)s AND (p.organisation_id = ANY (%(patients)s) OR p.organisation_id = ANY (%(serves)s))
 ORDER BY v.event_id DESC LIMIT %(most)s;

-- name: hospitals
-- Every hospital that can be asked.
SELECT facility_id, name, name_en, facility_role, capabilities, free_beds, duty_phone FROM care_facility
 ORDER BY facility_role, facility_id;

-- name: follow_ups
-- Open follow-ups in scope, or one of them, the longest overdue first.
SELECT f.follow_up_id, p.key AS patient_key, p.name AS patient_name, p.initials, p.bed, p.born_on, p.sex, p.risk_colour,
       p.household_phone, p.organisation_name, p.organisation_name_en, p.time_zone, f.opened_at, f.cadence, f.why, f.due_at,
       f.anchor, f.tries, a.antigen, a.antigen_at
  FROM care_follow_up f JOIN care_patient p USING (patient_id)
  LEFT JOIN LATERAL (SELECT c.antigen, c.antigen_at FROM care_follow_up_contact c
                      WHERE c.follow_up_id = f.follow_up_id AND c.antigen IS NOT NULL
                      ORDER BY COALESCE(c.antigen_at, c.at) DESC LIMIT 1) a ON true
 WHERE f.ended_at IS NULL AND f.organisation_id = ANY (%(organisations)s)
   AND (%(follow_up_id)s::bigint IS NULL OR f.follow_up_id = %(follow_up_id)s)
   AND (%(patient_id)s::integer IS NULL OR f.patient_id = %(patient_id)s)
 ORDER BY f.due_at, f.follow_up_id LIMIT %(most)s;

-- name: follow_up_counts
-- How many open follow-ups in scope are overdue, for more than a day, and due later today where the patient lives.
SELECT count(*) FILTER (WHERE due_at <= %(now)s) AS overdue,
       count(*) FILTER (WHERE due_at < %(now)s::timestamptz - INTERVAL '1 day') AS long_overdue,
       count(*) FILTER (WHERE due_at > %(now)s AND (due_at AT TIME ZONE time_zone)::date
                              = (%(now)s::timestamptz AT TIME ZONE time_zone)::date) AS today,
       count(*) AS followed
  FROM care_follow_up WHERE ended_at IS NULL AND organisation_id = ANY (%(organisations)s);

-- name: follow_up_contacts
-- Contacts of patients in scope, the newest first: of one patient, one contact, or those that await a decision.
SELECT c.contact_id, c.follow_up_id, p.key AS patient_key, p.name AS patient_name, p.bed, p.household_phone, p.time_zone,
       c.at, c.person_name, c.person_name_en, c.way, c.reached, c.signs, c.has_warning, c.temperature, c.spo2, c.antigen,
       c.antigen_at, c.note, c.decision, c.decision_note, c.decided_by_clock, c.decide_by
  FROM care_follow_up_contact c JOIN care_patient p USING (patient_id)
 WHERE p.organisation_id = ANY (%(organisations)s)
   AND (%(patient_id)s::integer IS NULL OR c.patient_id = %(patient_id)s)
   AND (%(contact_id)s::bigint IS NULL OR c.contact_id = %(contact_id)s)
   AND (NOT %(undecided)s OR (c.has_warning AND c.decision IS NULL))
 ORDER BY c.contact_id DESC LIMIT %(most)s;

-- name: follow_up_acts
-- Who opened, changed and ended a patient's follow-ups, the newest first.
SELECT a.at, a.kind, a.said, a.why, a.person_name, a.person_name_en
  FROM care_follow_up_act a JOIN care_follow_up f USING (follow_up_id)
 WHERE f.patient_id = %(patient_id)s ORDER BY a.act_id DESC LIMIT %(most)s;

-- name: helper_tasks
-- Tasks of patients in sight, one's own, and those for whoever takes them: of one's team's patients, and of one's
-- organisation where a patient's team has no helper who signs in; the open ones first.
SELECT t.task_id, p.key AS patient_key, p.name AS patient_name, p.bed, p.household_phone, p.organisation_name AS place,
       p.organisation_name_en AS place_en, p.time_zone, p.organisation_id = ANY (%(patients)s) AS in_scope, t.what, t.note,
       t.unreached, t.organisation_name, t.organisation_name_en, t.person_name, t.person_name_en, t.made_at, t.due_at,
       t.state, t.said_at, t.said_note
  FROM care_helper_task t JOIN care_patient p USING (patient_id)
 WHERE (p.organisation_id = ANY (%(patients)s) OR t.person_id = %(person_id)s
        OR (t.person_id IS NULL AND EXISTS (SELECT FROM care_team_helper h
                                             WHERE h.patient_id = t.patient_id AND h.person_id = %(person_id)s))
        OR (t.person_id IS NULL AND t.organisation_id = %(organisation_id)s
            AND NOT EXISTS (SELECT FROM care_team_helper h WHERE h.patient_id = t.patient_id)))
   AND (%(task_id)s::bigint IS NULL OR t.task_id = %(task_id)s)
   AND (%(patient_id)s::integer IS NULL OR t.patient_id = %(patient_id)s)
   AND (NOT %(is_open)s OR t.state = 'open')
 ORDER BY (t.state = 'open') DESC, CASE WHEN t.state = 'open' THEN t.due_at END, t.task_id DESC LIMIT %(most)s;

-- name: assignees
-- The organisation of a patient, those above and those below it, each with its helpers; the nearest first.
WITH near AS (
    SELECT ancestor_id AS organisation_id, distance FROM care_organisation_ancestor WHERE organisation_id = %(organisation_id)s
     UNION SELECT organisation_id, distance FROM care_organisation_ancestor WHERE ancestor_id = %(organisation_id)s)
SELECT o.organisation_id, x.name, x.name_en, x.person_id
  FROM near n JOIN care_organisation o USING (organisation_id)
  JOIN LATERAL (SELECT o.name, o.name_en, NULL::integer AS person_id
                 UNION ALL SELECT p.name, p.name_en, p.person_id FROM care_person p
                            WHERE p.organisation_id = o.organisation_id AND p.role = 'helper') x ON true
 ORDER BY n.distance, o.organisation_id, x.person_id NULLS FIRST LIMIT %(most)s;

-- name: above
-- An organisation and all above it, the topmost first.
SELECT ancestor_id FROM care_organisation_ancestor
 WHERE organisation_id = %(organisation_id)s ORDER BY distance DESC;

-- name: roster_places
-- Organisations whose roster is drawn, the topmost first.
SELECT o.organisation_id, o.key, o.name, o.name_en, o.time_zone
  FROM care_organisation o JOIN care_organisation_ancestor a USING (organisation_id)
 WHERE o.organisation_id = ANY (%(organisations)s)
 GROUP BY o.organisation_id, o.key, o.name, o.name_en, o.time_zone ORDER BY max(a.distance), o.key;

-- name: roster_people
-- Who may be put on duty, at these organisations.
SELECT key, name, name_en, role, organisation_id FROM care_person
 WHERE role = ANY (%(roles)s) AND organisation_id = ANY (%(organisations)s) ORDER BY name, key LIMIT %(most)s;

-- name: roster_person
-- Where a person is employed, and what time it is there.
SELECT p.person_id, p.organisation_id, o.time_zone FROM care_person p JOIN care_organisation o USING (organisation_id)
 WHERE p.key = %(key)s;

-- name: handover_open
-- What is open below an organisation, of those in scope: who has taken it on, and when it goes on; most urgent first.
SELECT e.episode_id, e.patient_id, e.rule, e.priority, e.emergency, e.state, e.due_at,
       COALESCE(e.initials, o.name) AS whose, COALESCE(e.initials, o.name_en) AS whose_en, COALESCE(e.bed, '') AS bed,
       t.name AS taken_by_name, t.name_en AS taken_by_name_en
  FROM open_episode e JOIN care_organisation o ON o.organisation_id = e.organisation_id
  JOIN care_organisation_ancestor a ON a.organisation_id = e.organisation_id
  LEFT JOIN care_person t ON t.person_id = e.acknowledged_by
 WHERE a.ancestor_id = %(organisation_id)s AND e.organisation_id = ANY (%(organisations)s)
 ORDER BY e.rank, e.due_at, e.episode_id LIMIT %(most)s;

-- name: organisation
-- One organisation: its key, and what time it is there.
SELECT organisation_id, key, time_zone FROM care_organisation WHERE organisation_id = %(organisation_id)s;

-- name: silences
-- Silences in scope, or one of them: what is in force or planned, what ends first, then what ended last.
SELECT s.silence_id, CASE WHEN s.patient_id IS NOT NULL THEN 'patient' WHEN s.gateway_id IS NOT NULL THEN 'gateway'
                          WHEN s.device_key IS NOT NULL THEN 'device' ELSE 'organisation' END AS target,
       COALESCE(p.key, s.gateway_id, s.device_key, o.key) AS name,
       COALESCE(p.name, NULLIF(g.place, ''), s.gateway_id, s.device_key, o.name) AS shown,
       COALESCE(p.name, NULLIF(g.place, ''), s.gateway_id, s.device_key, o.name_en) AS shown_en,
       COALESCE(p.bed, CASE WHEN g.place <> '' THEN s.gateway_id END, '') AS bed, o.name AS organisation_name,
       o.name_en AS organisation_name_en, o.time_zone, s.technical, s.rule, s.priority, s.reason,
       COALESCE(a.name, '') AS set_by, COALESCE(a.name_en, '') AS set_by_en, s.set_at, s.since, s.until,
       l.name AS lifted_by, l.name_en AS lifted_by_en, s.lifted_at,
       CASE WHEN s.lifted_at IS NOT NULL THEN 'lifted' WHEN s.until <= %(now)s THEN 'expired'
            WHEN s.since > %(now)s THEN 'planned' ELSE 'in_force' END AS standing,
       (SELECT count(*) FROM episode_silence h WHERE h.silence_id = s.silence_id) AS holds
  FROM alarm_silence s LEFT JOIN care_patient p USING (patient_id) LEFT JOIN care_gateway g ON g.gateway_id = s.gateway_id
  JOIN care_organisation o ON o.organisation_id = COALESCE(p.organisation_id, s.organisation_id)
  LEFT JOIN care_person a ON a.person_id = s.set_by LEFT JOIN care_person l ON l.person_id = s.lifted_by
 WHERE o.organisation_id = ANY (%(organisations)s)
   AND (s.silence_id = %(silence_id)s OR (%(silence_id)s::bigint IS NULL
        AND LEAST(s.until, s.lifted_at) > %(ended_since)s::timestamptz))
 ORDER BY (s.lifted_at IS NULL AND s.until > %(now)s) DESC,
          CASE WHEN s.lifted_at IS NULL AND s.until > %(now)s THEN s.until END, s.silence_id DESC
 LIMIT %(most)s;

-- name: silences_in_force
-- How many silences in scope are in force.
SELECT count(*) AS count FROM alarm_silence s LEFT JOIN care_patient p USING (patient_id)
 WHERE COALESCE(p.organisation_id, s.organisation_id) = ANY (%(organisations)s)
   AND s.lifted_at IS NULL AND s.since <= %(now)s AND s.until > %(now)s;

-- name: held_back
-- Which of these episodes page nobody now, by whose word and until when.
SELECT h.episode_id, s.silence_id, s.until, s.reason, COALESCE(p.name, '') AS name, COALESCE(p.name_en, '') AS name_en
  FROM silenced(%(now)s) h JOIN alarm_silence s USING (silence_id) LEFT JOIN care_person p ON p.person_id = s.set_by
 WHERE h.episode_id = ANY (%(episodes)s);

-- name: storm_members
-- What alarms of one cause hold, then what left them as it was well.
SELECT m.episode_id, substr(m.subject, strpos(m.subject, ':') + 1) AS thing,
       COALESCE(g.place, '') AS place, p.key AS patient_key, p.name AS patient_name, p.bed,
       o.name AS organisation_name, o.name_en AS organisation_name_en, m.since, m.left_at
  FROM storm_member m LEFT JOIN care_patient p USING (patient_id)
  LEFT JOIN care_gateway g ON m.subject = 'gateway:' || g.gateway_id
  LEFT JOIN care_organisation o ON o.organisation_id = COALESCE(p.organisation_id, g.organisation_id)
 WHERE m.episode_id = ANY (%(episodes)s)
 ORDER BY m.left_at IS NOT NULL, m.since, m.subject LIMIT %(most)s;
