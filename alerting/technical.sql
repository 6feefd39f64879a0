-- SQL of the technical alarms (alerting/technical). A statement starts with a line `-- name: <name>`.

-- name: site
-- What paging needs to know of an episode that is no patient's: what it is called, where it belongs.
SELECT NULL::integer AS patient_id, e.subject, e.organisation_id, e.gateway_id, o.time_zone,
       COALESCE(NULLIF(g.place, ''), e.gateway_id, o.name) AS initials,
       CASE WHEN e.subject LIKE 'device:%%' THEN substr(e.subject, 8)
            WHEN e.subject LIKE 'roster:%%' THEN split_part(e.subject, ':', 3)
            WHEN e.subject LIKE 'storm:%%' THEN split_part(e.subject, ':', 2) ELSE COALESCE(e.gateway_id, '') END AS bed,
       'green' AS risk_colour, '{}'::text[] AS special_groups, NULL::jsonb AS household
  FROM episode e JOIN care_organisation o USING (organisation_id)
  LEFT JOIN care_gateway g ON g.gateway_id = e.gateway_id
 WHERE e.episode_id = %(episode_id)s;

-- name: site_to_be
-- The same, of an episode that is to be opened.
SELECT NULL::integer AS patient_id, %(subject)s::text AS subject, o.organisation_id, %(gateway_id)s::text AS gateway_id,
       o.time_zone, COALESCE(NULLIF(g.place, ''), %(gateway_id)s::text, o.name) AS initials,
       CASE WHEN %(subject)s::text LIKE 'device:%%' THEN substr(%(subject)s::text, 8)
            WHEN %(subject)s::text LIKE 'roster:%%' THEN split_part(%(subject)s::text, ':', 3)
            WHEN %(subject)s::text LIKE 'storm:%%' THEN split_part(%(subject)s::text, ':', 2)
            ELSE COALESCE(%(gateway_id)s::text, '') END AS bed,
       'green' AS risk_colour, '{}'::text[] AS special_groups, NULL::jsonb AS household
  FROM care_organisation o LEFT JOIN care_gateway g ON g.gateway_id = %(gateway_id)s::text
 WHERE o.organisation_id = %(organisation_id)s;

-- name: lock_subject
-- One writer at a time for the technical alarms of one subject.
SELECT pg_advisory_xact_lock(3, hashtext(%(subject)s));

-- name: technical_faults
-- What was wrong at the last look, of these families.
SELECT subject, family, rule, since FROM technical_fault WHERE family = ANY(%(families)s);

-- name: technical_fault
-- The same, of one subject, under its lock.
SELECT rule, since FROM technical_fault WHERE subject = %(subject)s AND family = %(family)s;

-- name: note_fault
-- Note what is wrong; what began earlier under another rule keeps its beginning.
INSERT INTO technical_fault (subject, family, rule, since) VALUES (%(subject)s, %(family)s, %(rule)s, %(since)s)
ON CONFLICT (subject, family) DO UPDATE SET rule = EXCLUDED.rule;

-- name: end_fault
-- Note that it is over, and when.
WITH over AS (
    DELETE FROM technical_fault WHERE subject = %(subject)s AND family = %(family)s RETURNING subject, family, since)
INSERT INTO technical_ended (subject, family, since, ended_at)
SELECT subject, family, since, %(now)s FROM over
ON CONFLICT (subject, family) DO UPDATE SET since = EXCLUDED.since, ended_at = EXCLUDED.ended_at;

-- name: ended_faults
-- What explained the silence of devices and is over.
SELECT subject, family, since, ended_at FROM technical_ended WHERE family = ANY(%(families)s);

-- name: open_technical
-- The open episodes of these families, by subject.
SELECT episode_id, COALESCE(subject, 'patient:' || patient_id) AS subject, family, rule, condition,
       jsonb_array_length(COALESCE(evidence -> 'covers', '[]')) AS covers
  FROM episode WHERE technical AND state <> 'closed' AND family = ANY(%(families)s);

-- name: open_episode_about
-- The open episode of a subject and family, under its lock.
SELECT episode_id, patient_id, subject, family, rule, priority, emergency, tier3, technical, condition, state, step,
       service_tier, since, alarmed_at, due_at, false AS referral, false AS settled
  FROM episode
 WHERE family = %(family)s AND state <> 'closed'
   AND (subject = %(subject)s OR (subject IS NULL AND patient_id = %(patient_id)s))
   FOR UPDATE;

-- name: closed_by_person
-- The newest episode of a subject and family, if a person closed it after the fault had begun.
SELECT episode_id, closed_at, priority
  FROM (SELECT episode_id, closed_at, closed_by, priority FROM episode
         WHERE family = %(family)s AND (subject = %(subject)s OR (subject IS NULL AND patient_id = %(patient_id)s))
         ORDER BY episode_id DESC LIMIT 1) AS newest
 WHERE closed_by IS NOT NULL AND closed_at >= %(since)s;

-- name: cover
-- What an alarm explains, so that nothing is silently left out: entries that are new are added, at most so many kept.
UPDATE episode SET evidence = evidence || jsonb_build_object(
        'covers', (SELECT COALESCE(jsonb_agg(entry ORDER BY entry ->> 'device', entry ->> 'gateway'), '[]') FROM (
            SELECT DISTINCT entry FROM (
                SELECT jsonb_array_elements(COALESCE(evidence -> 'covers', '[]')) AS entry
                UNION SELECT jsonb_array_elements(%(covers)s::jsonb)) AS every LIMIT %(most)s) AS kept),
        'covers_now', %(covers_now)s::integer)
 WHERE episode_id = %(episode_id)s
   AND (COALESCE((evidence ->> 'covers_now')::integer, -1) <> %(covers_now)s
        OR NOT COALESCE(evidence -> 'covers', '[]') @> %(covers)s::jsonb);

-- name: clear_technical
-- The cause of a technical alarm that only a person may close is over.
UPDATE episode SET condition = 'cleared', cleared_at = %(now)s
 WHERE episode_id = %(episode_id)s AND condition <> 'cleared';

-- name: gateway_words
-- Each gateway's newest word, the parts of it that alarms go by, and when anything came from it.
SELECT g.gateway_id, g.organisation_id, s.online, s.received_at, s.heartbeat_at,
       s.heartbeat ->> 'sent_at' AS sent_at, s.heartbeat -> 'heartbeat_s' AS heartbeat_s,
       s.heartbeat -> 'clock' -> 'synchronised' AS synchronised, s.heartbeat -> 'adapters' AS adapters,
       s.heartbeat -> 'recovery' -> 'troubles' AS troubles, s.heartbeat -> 'outbox' -> 'oldest_age_s' AS oldest_age_s,
       jsonb_path_query_array(s.heartbeat, 'lax $.devices[*].address') AS reads,
       (SELECT max(a.received_at) FROM outbox_account a WHERE a.gateway_id = g.gateway_id) AS readings_at
  FROM care_gateway g JOIN gateway_status s USING (gateway_id)
 ORDER BY g.gateway_id;

-- name: ingest_words
-- What ingest says of itself.
SELECT process, said_at, every_s, hears, since FROM ingest_word ORDER BY process;

-- name: centres
-- The topmost organisations that have a gateway which was ever heard; all topmost ones where none was.
WITH top AS (SELECT organisation_id FROM care_organisation WHERE parent_id IS NULL),
     heard AS (SELECT DISTINCT a.ancestor_id AS organisation_id FROM care_organisation_ancestor a
                WHERE a.organisation_id IN (SELECT g.organisation_id FROM care_gateway g JOIN gateway_status s
                                             USING (gateway_id)))
SELECT organisation_id FROM top WHERE organisation_id IN (SELECT organisation_id FROM heard)
    OR NOT EXISTS (SELECT FROM heard) ORDER BY organisation_id;

-- name: standing_claims
-- Which gateways are to read these devices.
SELECT device_key, gateway_id FROM care_claim WHERE released_at IS NULL AND device_key = ANY(%(devices)s);

-- name: clocks_ahead
-- Devices worn now whose newest word was dated ahead of its receipt, and which gateways read them.
SELECT DISTINCT b.device_key, p.organisation_id,
       ARRAY(SELECT c.gateway_id FROM care_claim c WHERE c.device_id = b.device_id AND c.released_at IS NULL
              ORDER BY c.gateway_id) AS gateways
  FROM latest l JOIN care_binding b ON b.patient_id = l.patient_id AND b.device_id = l.device_id
  JOIN care_patient p ON p.patient_id = b.patient_id
 WHERE l.reason = %(reason)s AND b.valid_from <= %(now)s AND (b.valid_until IS NULL OR b.valid_until > %(now)s);

-- name: batteries
-- The newest good battery levels, below this, of devices that are worn now.
SELECT b.patient_id, b.device_key, l.good_value AS level, l.good_measured_at AS measured_at
  FROM care_binding b JOIN latest l ON l.patient_id = b.patient_id AND l.device_id = b.device_id AND l.signal = %(code)s
 WHERE l.good_value < %(below)s AND b.valid_from <= %(now)s AND (b.valid_until IS NULL OR b.valid_until > %(now)s)
 ORDER BY b.patient_id, l.good_value, b.device_key;

-- name: spot_patients
-- Who has a device for single measurements of a signal and has measured it before, the last time long ago.
SELECT p.patient_id, p.time_zone, k.code, max(b.valid_from) AS worn_from,
       (SELECT max(l.good_measured_at) FROM latest l WHERE l.patient_id = p.patient_id AND l.signal = k.code)
           AS measured_at
  FROM care_binding b JOIN care_patient p USING (patient_id)
  JOIN unnest(%(kinds)s::text[], %(codes)s::integer[], %(every)s::interval[]) AS k (kind, code, every) ON k.kind = b.kind
 WHERE b.expected_every_s IS NULL AND NOT b.wellness
   AND b.valid_from <= %(now)s AND (b.valid_until IS NULL OR b.valid_until > %(now)s)
   AND EXISTS (SELECT FROM latest l WHERE l.patient_id = p.patient_id AND l.signal = k.code
                  AND l.good_measured_at IS NOT NULL)
   AND NOT EXISTS (SELECT FROM latest l WHERE l.patient_id = p.patient_id AND l.signal = k.code
                      AND l.good_measured_at > %(now)s - k.every)
   AND NOT EXISTS (SELECT FROM care_expected_from x WHERE x.patient_id = p.patient_id
                      AND x.expected_from > %(now)s - k.every)
 GROUP BY p.patient_id, p.time_zone, k.code
 ORDER BY p.patient_id, k.code;

-- name: unjudged
-- Whose readings can not be judged, and why. Who is in the registry no more is nobody's to be told of.
SELECT u.patient_id, u.failed_at, u.failures, u.error FROM unjudged u JOIN care_patient p USING (patient_id)
 ORDER BY u.patient_id;

-- name: unattributed
-- Readings of late that belong to nobody, by where they came from.
SELECT r.source, r.device, r.reason, min(r.received_at) AS first_at, max(r.received_at) AS last_at,
       sum(r.readings)::bigint AS readings, g.organisation_id
  FROM rejected r LEFT JOIN care_gateway g ON g.gateway_id = r.source
 WHERE r.reason = ANY(%(reasons)s) AND r.received_at > %(after)s AND r.readings > 0
 GROUP BY r.source, r.device, r.reason, g.organisation_id
 ORDER BY r.source, r.device, r.reason;

-- name: unattributed_last
-- When the newest reading from there that belongs to nobody came, of those that nobody has lifted.
SELECT max(received_at) AS last_at FROM rejected
 WHERE source = %(source)s AND readings > 0
   AND reason IN ('unknown_gateway', 'unknown_device', 'unbound_device', 'ambiguous') AND reason = ANY(%(reasons)s);

-- name: unbound_readings
-- Readings of late of devices that nobody wears, the newest so many messages; consumers' wearables apart.
SELECT r.device, r.source, r.payload, g.organisation_id
  FROM rejected r LEFT JOIN care_gateway g ON g.gateway_id = r.source
 WHERE r.reason = ANY(%(reasons)s) AND r.received_at > %(after)s AND r.readings > 0 AND r.device IS NOT NULL
   AND NOT EXISTS (SELECT FROM care_device d WHERE d.device_key = r.device AND d.wellness)
 ORDER BY r.received_at DESC LIMIT %(most)s;

-- name: is_bound
-- Does anybody wear this device now?
SELECT EXISTS (SELECT FROM care_binding WHERE device_key = %(device)s AND valid_from <= %(now)s
                  AND (valid_until IS NULL OR valid_until > %(now)s)) AS bound;

-- name: covered_since
-- The newest event by which an alarm of silence was closed into another, of these patients, since then.
SELECT e.patient_id, max(v.event_id) AS event_id
  FROM episode e JOIN episode_event v USING (episode_id)
 WHERE e.patient_id = ANY(%(patients)s) AND e.family = 'no_data' AND e.closed_at >= %(since)s AND v.kind = 'covered'
 GROUP BY e.patient_id;

-- name: low_no_data
-- Open low alarms of silence of these patients.
SELECT episode_id, patient_id FROM episode
 WHERE family = 'no_data' AND state <> 'closed' AND priority = 'low' AND patient_id = ANY(%(patients)s);

-- name: restate
-- What an open alarm's evidence says anew; nothing where it says so already.
UPDATE episode SET evidence = evidence || %(evidence)s::jsonb
 WHERE episode_id = %(episode_id)s AND state <> 'closed' AND NOT evidence @> %(evidence)s::jsonb;

-- name: covered_episode
-- The newest alarm of a subject and family that was closed into another since the fault began.
SELECT e.episode_id FROM episode e
 WHERE e.family = %(family)s AND (e.subject = %(subject)s OR (e.subject IS NULL AND e.patient_id = %(patient_id)s))
   AND e.closed_at >= %(since)s
   AND EXISTS (SELECT FROM episode_event v WHERE v.episode_id = e.episode_id AND v.kind = 'covered')
 ORDER BY e.episode_id DESC LIMIT 1;

-- name: no_data_of
-- Open low and medium alarms of silence of these patients that nobody has answered.
SELECT episode_id, patient_id FROM episode
 WHERE family = 'no_data' AND state IN ('unack', 't3_unack', 'exhausted') AND priority <> 'high'
   AND patient_id = ANY(%(patients)s);

-- name: open_storms
-- Causes of one kind of fault whose alarms are open: what each holds, and between which instants all that it ever held
-- began. (A model may have a colon in its name.)
SELECT e.episode_id, e.subject, e.organisation_id, e.evidence,
       substr(e.subject, length('storm:' || %(family)s || ':' || e.organisation_id || ':') + 1) AS model,
       min(m.since) AS begun, max(m.since) AS newest,
       COALESCE(array_agg(m.subject) FILTER (WHERE m.left_at IS NULL), '{}') AS members
  FROM episode e JOIN storm_member m USING (episode_id)
 WHERE e.family = 'storm' AND e.technical AND e.state <> 'closed' AND starts_with(e.subject, 'storm:' || %(family)s || ':')
 GROUP BY e.episode_id ORDER BY e.episode_id;

-- name: storms_now
-- The open alarm of each of these causes.
SELECT episode_id, subject, evidence FROM episode
 WHERE family = 'storm' AND technical AND state <> 'closed' AND subject = ANY(%(subjects)s);

-- name: leave_closed_storms
-- What an alarm held that is closed has its own alarm again.
UPDATE storm_member m SET left_at = %(now)s
  FROM episode e WHERE e.episode_id = m.episode_id AND e.state = 'closed' AND m.left_at IS NULL;

-- name: leave_storm
-- What is well leaves; so does what another cause holds now.
UPDATE storm_member SET left_at = %(now)s
 WHERE episode_id = %(episode_id)s AND left_at IS NULL AND subject <> ALL(%(members)s);

-- name: join_storm
-- What is held from now on; gives what was not before.
INSERT INTO storm_member (episode_id, subject, family, patient_id, since, joined_at)
SELECT %(episode_id)s, m.subject, %(family)s, m.patient_id, m.since, %(now)s
  FROM unnest(%(subjects)s::text[], %(patients)s::integer[], %(since)s::timestamptz[]) AS m (subject, patient_id, since)
ON CONFLICT (subject, family) WHERE left_at IS NULL DO NOTHING RETURNING subject;

-- name: storm_alarmed_of
-- Of how many an open cause last alarmed, under its lock.
SELECT (evidence ->> 'alarmed_of')::integer AS alarmed_of FROM episode WHERE episode_id = %(episode_id)s AND state <> 'closed';

-- name: places
-- Each organisation with those above it, the nearest first.
SELECT organisation_id, array_agg(ancestor_id ORDER BY distance) AS places FROM care_organisation_ancestor
 GROUP BY organisation_id;

-- name: spot_population
-- How many patients of each organisation have a device for single measurements, and measured before.
SELECT p.organisation_id, count(DISTINCT p.patient_id) AS count
  FROM care_binding b JOIN care_patient p USING (patient_id)
 WHERE b.expected_every_s IS NULL AND NOT b.wellness
   AND b.valid_from <= %(now)s AND (b.valid_until IS NULL OR b.valid_until > %(now)s)
   AND EXISTS (SELECT FROM latest l WHERE l.patient_id = p.patient_id AND l.good_measured_at IS NOT NULL)
 GROUP BY p.organisation_id;

-- name: device_models
-- Continuous devices that are worn now, by the driver that reads them: as the registry has it, else as a gateway says.
SELECT DISTINCT ON (b.device_key) b.device_key, p.organisation_id, COALESCE(c.driver, w.driver) AS model
  FROM care_binding b JOIN care_patient p USING (patient_id)
  LEFT JOIN care_claim c ON c.device_id = b.device_id AND c.released_at IS NULL
  LEFT JOIN (SELECT d ->> 'address' AS device_key, d ->> 'driver' AS driver
               FROM gateway_status s CROSS JOIN LATERAL jsonb_path_query(s.heartbeat, 'lax $.devices[*]') AS d) w
         ON w.device_key = b.device_key
 WHERE b.expected_every_s IS NOT NULL
   AND b.valid_from <= %(now)s AND (b.valid_until IS NULL OR b.valid_until > %(now)s)
 ORDER BY b.device_key, COALESCE(c.driver, w.driver) NULLS LAST;

-- name: roster_look_due
-- Look at the rosters now: one has changed since the last look, or that was so long ago; nobody else does meanwhile.
UPDATE roster_look r SET looked_at = %(now)s, version = v.version FROM care_roster_version v
 WHERE r.only_row IN (SELECT l.only_row FROM roster_look l FOR UPDATE SKIP LOCKED)
   AND (r.version IS DISTINCT FROM v.version OR r.looked_at IS NULL OR r.looked_at > %(now)s
        OR r.looked_at <= %(now)s::timestamptz - %(every)s::interval);
