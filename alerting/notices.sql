-- Statements of links, of gathering notices, and of tests of paging.

-- name: linked
-- A notice that a link may belong to: to whom, about whom, and where that stands now.
SELECT n.notice_id, n.recipient_id AS person_id, n.episode_id, n.page_test_id, n.created_at, n.sent_at, n.link_used_at,
       r.name AS person_name, r.name_en AS person_name_en, r.service_tier,
       e.rule, e.priority, e.emergency, e.condition, e.state, e.since, e.alarmed_at > n.created_at AS alarmed_anew,
       e.acknowledged_at, a.name AS acknowledged_by, a.name_en AS acknowledged_by_en,
       COALESCE(p.initials, NULLIF(g.place, ''), e.gateway_id, o.name) AS initials, COALESCE(p.bed, '') AS bed,
       COALESCE(o.time_zone, 'Asia/Shanghai') AS time_zone, t.until AS test_until
  FROM notice n JOIN care_person r ON r.person_id = n.recipient_id
  LEFT JOIN episode e USING (episode_id)
  LEFT JOIN care_patient p ON p.patient_id = e.patient_id
  LEFT JOIN care_gateway g ON g.gateway_id = e.gateway_id
  LEFT JOIN page_test t ON t.page_test_id = n.page_test_id
  LEFT JOIN care_organisation o
         ON o.organisation_id = COALESCE(p.organisation_id, e.organisation_id, t.organisation_id)
  LEFT JOIN care_person a ON a.person_id = e.acknowledged_by
 WHERE n.notice_id = %(notice_id)s AND num_nonnulls(n.episode_id, n.page_test_id) = 1;

-- name: use_link
-- A link is used, once.
UPDATE notice SET link_used_at = %(now)s WHERE notice_id = %(notice_id)s AND link_used_at IS NULL;

-- name: answer_test
-- A test is answered: over which channel it was does not matter any more.
UPDATE notice SET link_used_at = %(now)s
 WHERE page_test_id = %(page_test_id)s AND recipient_id = %(person_id)s AND link_used_at IS NULL;

-- name: due_that_may_wait
-- A person's notices that are due and were never tried, and that may be gathered with others; each person's in order.
SELECT notice_id, recipient_id FROM notice
 WHERE due_at <= %(now)s AND attempts = 0 AND may_wait AND gathered IS NULL
 ORDER BY recipient_id, due_at, notice_id LIMIT %(most)s FOR UPDATE SKIP LOCKED;

-- name: sent_lately
-- When these people were sent what counts: notices that may wait, and those that gather such.
SELECT recipient_id, COALESCE(sent_at, created_at) AS at FROM notice
 WHERE recipient_id = ANY(%(people)s) AND may_wait AND attempts > 0
   AND created_at > %(since)s::timestamptz - INTERVAL '1 day' AND COALESCE(sent_at, created_at) > %(since)s;

-- name: gathering
-- The notice that gathers for a person, what may wait or what is urgent, and has not gone out yet, over the
-- person's first channel.
SELECT recipient_id, notice_id FROM notice
 WHERE recipient_id = ANY(%(people)s) AND gathered IS NOT NULL AND may_wait = %(may_wait)s AND due_at IS NOT NULL
   AND attempts = 0 AND right(key, 2) = ':0' FOR UPDATE;

-- name: urgent_due
-- To whom how much is due that may not wait and was never tried, and how much of such went out by itself since an instant.
SELECT d.recipient_id, d.due,
       (SELECT count(*) FROM notice n WHERE n.recipient_id = d.recipient_id AND n.created_at > %(since)s
           AND n.attempts > 0 AND NOT n.may_wait AND n.gathered IS NULL AND n.episode_id IS NOT NULL) AS lately
  FROM (SELECT recipient_id, count(*) AS due FROM notice
         WHERE due_at IS NOT NULL AND due_at <= %(now)s AND attempts = 0 AND NOT may_wait AND is_alarm AND gathered IS NULL
           AND recipient_id IS NOT NULL AND episode_id IS NOT NULL AND audience = ANY(%(audiences)s)
         GROUP BY 1) AS d;

-- name: urgent_of
-- A person's urgent notices that are due; in order.
SELECT notice_id FROM notice
 WHERE recipient_id = %(person_id)s AND due_at IS NOT NULL AND due_at <= %(now)s AND attempts = 0 AND NOT may_wait
   AND is_alarm AND gathered IS NULL AND episode_id IS NOT NULL AND audience = ANY(%(audiences)s)
 ORDER BY due_at, notice_id LIMIT %(most)s FOR UPDATE SKIP LOCKED;

-- name: open_gathering
-- Begin one that gathers: to the same person over the same channels, in their order, as the first that it speaks of.
INSERT INTO notice (gathered, may_wait, urgency, key, recipient_id, recipient, audience, service_tier, step, channel_url, title, body,
    created_at, due_at, outcome)
SELECT 0, n.may_wait, CASE WHEN n.may_wait THEN 1 ELSE 0 END, 'gathered:' || f.notice_id || ':' || row_number() OVER channels - 1, n.recipient_id, n.recipient, n.audience,
       n.service_tier, n.step, n.channel_url, '', '', %(now)s,
       CASE row_number() OVER channels WHEN 1 THEN %(due_at)s::timestamptz END,
       CASE row_number() OVER channels WHEN 1 THEN '' ELSE %(reserve)s END
  FROM notice f JOIN notice n ON n.recipient_id = f.recipient_id
   AND (n.episode_id = f.episode_id OR n.duty_change_id = f.duty_change_id)
   AND regexp_replace(n.key, ':[0-9]+$', '') = regexp_replace(f.key, ':[0-9]+$', '')
 WHERE f.notice_id = %(like)s WINDOW channels AS (ORDER BY n.notice_id);

-- name: gathering_of
-- The notice that was begun for this first one.
SELECT notice_id FROM notice WHERE key = 'gathered:' || %(like)s || ':0';

-- name: hold_back
-- These are not sent: another notice speaks of them.
UPDATE notice SET due_at = NULL, outcome = %(outcome)s, gathered_into = %(into)s WHERE notice_id = ANY(%(notices)s);

-- name: gathered_count
-- Of how many a notice speaks, and how the first of them are headed.
SELECT count(*) AS count, count(duty_change_id) AS duties, (array_agg(title ORDER BY notice_id))[1:%(listed)s] AS titles
  FROM notice WHERE gathered_into = %(into)s;

-- name: say_gathered
-- What the notice that gathers says, over whichever channel it goes.
UPDATE notice n SET gathered = %(count)s, title = %(title)s, body = %(body)s
  FROM notice f WHERE f.notice_id = %(into)s AND n.recipient_id = f.recipient_id AND n.gathered IS NOT NULL
   AND regexp_replace(n.key, ':[0-9]+$', '') = regexp_replace(f.key, ':[0-9]+$', '');

-- name: organisation_of_key
-- An organisation by its key.
SELECT organisation_id, key, name FROM care_organisation WHERE key = %(key)s;

-- name: person_of_key
-- A person by key.
SELECT person_id, name, role FROM care_person WHERE key = %(key)s;

-- name: lock_page_tests
-- One test of an organisation at a time.
SELECT pg_advisory_xact_lock(4, %(organisation_id)s);

-- name: page_test_since
-- A test of an organisation that has begun lately.
SELECT page_test_id, begun_at FROM page_test WHERE organisation_id = %(organisation_id)s AND begun_at > %(since)s LIMIT 1;

-- name: begin_page_test
-- A test of paging begins.
INSERT INTO page_test (organisation_id, everybody, begun_by, begun_at, until)
VALUES (%(organisation_id)s, %(everybody)s, %(begun_by)s, %(now)s, %(until)s) RETURNING page_test_id;

-- name: insert_test_notice
-- A test's message to one person over one channel.
INSERT INTO notice (page_test_id, good_until, key, recipient_id, recipient, audience, service_tier, step, channel_url, title,
    body, created_at, due_at, outcome)
VALUES (%(page_test_id)s, %(until)s, %(key)s, %(recipient_id)s, %(recipient)s, %(audience)s, %(service_tier)s, 0,
    %(channel_url)s, %(title)s, %(body)s, %(now)s, %(due_at)s, %(outcome)s);

-- name: page_tests
-- The tests of these organisations, newest first, or one of them by its number.
SELECT t.page_test_id, t.organisation_id, o.key AS organisation, o.name AS organisation_name,
       o.name_en AS organisation_name_en, o.time_zone, t.everybody, t.begun_at, t.until, p.name AS begun_by,
       p.name_en AS begun_by_en
  FROM page_test t JOIN care_organisation o USING (organisation_id) LEFT JOIN care_person p ON p.person_id = t.begun_by
 WHERE t.organisation_id = ANY(%(organisations)s) AND t.page_test_id = COALESCE(%(page_test_id)s, t.page_test_id)
 ORDER BY t.page_test_id DESC LIMIT %(most)s;

-- name: page_test_before
-- The test of the same organisation before this one.
SELECT b.page_test_id FROM page_test t JOIN page_test b USING (organisation_id)
 WHERE t.page_test_id = %(page_test_id)s AND b.page_test_id < t.page_test_id ORDER BY b.page_test_id DESC LIMIT 1;

-- name: responses
-- What came of a test, by person: the first channel that took it, the first answer.
SELECT COALESCE(p.key, n.recipient) AS person, n.recipient AS name,
       COALESCE(NULLIF(p.name_en, ''), n.recipient) AS name_en, COALESCE(p.role, '') AS role, t.begun_at,
       min(n.sent_at) AS delivered_at,
       COALESCE((array_agg(split_part(n.channel_url, ':', 1) ORDER BY n.sent_at)
                 FILTER (WHERE n.sent_at IS NOT NULL))[1], '') AS channel,
       min(n.link_used_at) AS answered_at,
       COALESCE(string_agg(DISTINCT NULLIF(n.outcome, 'in reserve'), ', ') FILTER (WHERE n.sent_at IS NULL), '') AS outcome,
       bool_or(n.channel_url <> 'console:') AS has_channel
  FROM notice n JOIN page_test t USING (page_test_id) LEFT JOIN care_person p ON p.person_id = n.recipient_id
 WHERE n.page_test_id = %(page_test_id)s
 GROUP BY p.key, n.recipient, p.name_en, p.role, t.begun_at, n.recipient_id ORDER BY n.recipient_id;

-- name: tested_lately
-- Which of these people a test was delivered to since an instant.
SELECT DISTINCT recipient_id FROM notice
 WHERE page_test_id IS NOT NULL AND recipient_id = ANY(%(people)s) AND sent_at >= %(since)s;

-- name: test_to_answer
-- The newest test that asks a person for an answer.
SELECT t.page_test_id, t.begun_at FROM notice n JOIN page_test t USING (page_test_id)
 WHERE n.recipient_id = %(person_id)s AND t.until > %(now)s
 GROUP BY t.page_test_id HAVING max(n.link_used_at) IS NULL ORDER BY t.page_test_id DESC LIMIT 1;

-- name: duty_news
-- What people have said of the roster ahead and nobody was told of; of a swap's two halves the first. `wants`: who is away
-- is somebody's family doctor, and nobody stands in.
SELECT c.change_id, s.what, c.kind, c.duty_role, c.person_id, c.in_place_of_id, c.substitute_id, lower(c.valid) AS since,
       upper(c.valid) AS until, c.said_by, c.accepted_by, c.revoked_by, c.accepted_at, o.organisation_id,
       o.name AS organisation_name, o.name_en AS organisation_name_en, o.time_zone,
       ARRAY(SELECT r.person_id FROM care_duty_replaced r WHERE r.change_id = c.change_id) AS replaced,
       c.kind = 'leave' AND c.substitute_id IS NULL
       AND EXISTS (SELECT FROM care_patient p WHERE p.family_doctor_id = c.person_id) AS wants
  FROM care_duty_change c JOIN care_person w ON w.person_id = c.person_id
  JOIN care_organisation o ON o.organisation_id = COALESCE(c.organisation_id, w.organisation_id)
 CROSS JOIN LATERAL (VALUES ('said', c.said_at), ('accepted', CASE c.kind WHEN 'swap' THEN c.accepted_at END),
                            ('revoked', c.revoked_at)) AS s (what, at)
 WHERE c.valid && tstzrange(%(now)s, NULL) AND s.at IS NOT NULL AND c.change_id = COALESCE(c.swap_id, c.change_id)
   AND NOT EXISTS (SELECT FROM duty_told t WHERE (t.change_id, t.what) = (c.change_id, s.what))
 ORDER BY s.at, c.change_id LIMIT %(most)s;

-- name: duty_is_told
-- Whom it concerns is told of this, by one worker.
INSERT INTO duty_told (change_id, what, told_at) VALUES (%(change_id)s, %(what)s, %(now)s)
ON CONFLICT (change_id, what) DO NOTHING;

-- name: insert_duty_notice
-- A change of duty's message to one person over one channel.
INSERT INTO notice (duty_change_id, good_until, key, recipient_id, recipient, audience, service_tier, step, channel_url, title,
    body, created_at, due_at, outcome, may_wait, urgency)
VALUES (%(change_id)s, %(until)s, %(key)s, %(recipient_id)s, %(recipient)s, %(audience)s, %(service_tier)s, 0,
    %(channel_url)s, %(title)s, %(body)s, %(now)s, %(due_at)s, %(outcome)s, true, 2)
ON CONFLICT (key) DO NOTHING;
