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
