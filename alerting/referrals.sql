-- name: insert_referral
-- Begin a referral. No row: one is under way for this patient.
INSERT INTO referral (patient_id, episode_id, priority, picture, clause, destination, ward, vehicle, needs, stage,
    facility_id, candidates, passed_over, due_at, note, opened_by, opened_at, offered_at)
VALUES (%(patient_id)s, %(episode_id)s, %(priority)s, %(picture)s, %(clause)s, %(destination)s, %(ward)s, %(vehicle)s,
    %(needs)s, %(stage)s, %(facility_id)s, %(candidates)s, %(passed_over)s, %(due_at)s, %(note)s, %(opened_by)s,
    %(now)s, CASE WHEN %(facility_id)s::integer IS NOT NULL THEN %(now)s::timestamptz END)
ON CONFLICT DO NOTHING RETURNING referral_id;

-- name: referral
-- One referral, without a lock.
SELECT r.*, f.name AS facility_name, f.name_en AS facility_name_en
  FROM referral r LEFT JOIN care_facility f USING (facility_id) WHERE r.referral_id = %(referral_id)s;

-- name: looked_after
-- Of these patients those who belong where somebody works or below it, or whose family doctor he is.
SELECT p.patient_id FROM care_patient p JOIN person w ON w.person_id = %(person_id)s
 WHERE p.patient_id = ANY(%(patients)s)
   AND (p.family_doctor_id = w.person_id OR w.organisation_id IN (
        SELECT a.ancestor_id FROM care_organisation_ancestor a WHERE a.organisation_id = p.organisation_id));

-- name: referrals_of
-- The referrals under way of these patients.
SELECT referral_id, patient_id, stage, priority FROM referral WHERE patient_id = ANY(%(patients)s) AND stage <> 'ended';

-- name: referrals
-- Several referrals, as far as what may be said of them hangs on it.
SELECT referral_id, patient_id, facility_id, stage, candidates, chases, due_at, vehicle FROM referral
 WHERE referral_id = ANY(%(referrals)s);

-- name: hasten_referral
-- A patient on the way has become worse: the clocks of the more urgent priority run from now on.
UPDATE referral SET priority = %(priority)s, due_at = LEAST(due_at, %(due_by)s) WHERE referral_id = %(referral_id)s;

-- name: referral_under_way
-- The referral a patient is on, if any.
SELECT r.*, f.name AS facility_name, f.name_en AS facility_name_en
  FROM referral r LEFT JOIN care_facility f USING (facility_id)
 WHERE r.patient_id = %(patient_id)s AND r.stage <> 'ended';

-- name: lock_referral
-- One referral for an event. The patient is locked before, as its episodes move with it.
SELECT * FROM referral WHERE referral_id = %(referral_id)s FOR UPDATE;

-- name: due_referrals
-- Referrals whose clock has run out, oldest first.
SELECT referral_id, patient_id FROM referral WHERE stage <> 'ended' AND due_at <= %(now)s
 ORDER BY due_at LIMIT %(limit)s;

-- name: claim_due_referral
-- One of them, if it is still due and no other worker has it.
SELECT * FROM referral WHERE referral_id = %(referral_id)s AND stage <> 'ended' AND due_at <= %(now)s
   FOR UPDATE SKIP LOCKED;

-- name: move_referral
-- Write where a referral stands after an event, and when that was. A new offer forgets what the last hospital had done.
UPDATE referral SET stage = %(stage)s, facility_id = %(facility_id)s, candidates = %(candidates)s, chases = %(chases)s,
    due_at = %(due_at)s,
    offered_at    = CASE WHEN %(offers)s THEN %(now)s ELSE offered_at END,
    accepted_at   = CASE WHEN %(event)s = 'accept' THEN %(now)s WHEN NOT %(offers)s THEN accepted_at END,
    departed_at   = CASE WHEN %(event)s = 'depart' THEN %(now)s WHEN NOT %(offers)s THEN departed_at END,
    arrived_at    = CASE WHEN %(event)s = 'arrive' THEN %(now)s ELSE arrived_at END,
    admitted_at   = CASE WHEN %(event)s = 'admit' THEN %(now)s ELSE admitted_at END,
    discharged_at = CASE WHEN %(event)s = 'discharge' THEN %(now)s ELSE discharged_at END,
    returned_at   = CASE WHEN %(event)s = 'return' THEN %(now)s ELSE returned_at END,
    ended_at      = CASE WHEN %(stage)s = 'ended' THEN %(now)s::timestamptz END,
    ended_as      = CASE WHEN %(stage)s = 'ended' THEN %(event)s END
 WHERE referral_id = %(referral_id)s;

-- name: insert_referral_event
-- Append to a referral's history; nothing where the key is there already.
INSERT INTO referral_event (referral_id, at, kind, actor_id, facility_id, from_stage, to_stage, refusal, note, key)
VALUES (%(referral_id)s, %(now)s, %(kind)s, %(actor_id)s, %(facility_id)s, %(from_stage)s, %(to_stage)s, %(refusal)s,
    %(note)s, %(key)s)
ON CONFLICT (key) DO NOTHING;

-- name: referral_events
-- A referral's history.
SELECT v.*, p.name AS actor_name, p.name_en AS actor_name_en, f.name AS facility_name, f.name_en AS facility_name_en
  FROM referral_event v LEFT JOIN care_person p ON p.person_id = v.actor_id LEFT JOIN care_facility f USING (facility_id)
 WHERE v.referral_id = %(referral_id)s ORDER BY v.event_id;

-- name: open_illnesses
-- A patient's open episodes that are no technical ones: a referral moves with all of them.
SELECT e.episode_id, e.patient_id, e.subject, e.family, e.rule, e.priority, e.emergency, e.tier3, e.technical,
       e.condition, e.state, e.step, e.service_tier, e.since, e.alarmed_at, e.due_at, true AS referral, false AS settled
  FROM episode e WHERE e.patient_id = %(patient_id)s AND NOT e.technical AND e.state <> 'closed'
 ORDER BY e.episode_id FOR UPDATE;

-- name: traced_episode
-- An episode with the first instant of everything that has to happen to it; answers count since it alarmed last.
SELECT e.episode_id, e.rule, e.state, e.technical, e.due_at, e.raised_at, e.detected_at, e.closed_at,
       COALESCE(e.evidence ->> 'why' IN ('lost_while_low', 'still_present', 'no_repeat'), false)
       OR e.evidence ? 'signs' AS by_no_reading,
       COALESCE(p.initials || ' ' || p.bed, e.subject) AS whose,
       (SELECT min(s.received_at) FROM sample s
         WHERE s.patient_id = e.patient_id AND s.measured_at = e.raised_at) AS stored_at,
       v.opened_at, v.alarms, v.decided_at, v.decision, v.acknowledged_at,
       (SELECT name FROM care_person a WHERE a.person_id = v.acknowledged_by) AS acknowledged_by,
       (SELECT name FROM care_person c WHERE c.person_id = e.closed_by) AS closed_by,
       n.noticed_at, n.notices, n.delivered_at, n.delivered, n.gathered, n.gathered_by
  FROM episode e LEFT JOIN care_patient p USING (patient_id)
 CROSS JOIN LATERAL (
    SELECT min(at) FILTER (WHERE kind IN ('raised', 'raised_anew')) AS opened_at,
           count(*) FILTER (WHERE kind IN ('raised', 'raised_anew')) AS alarms,
           min(at) FILTER (WHERE kind = 'acknowledged' AND at >= e.alarmed_at) AS acknowledged_at,
           (array_agg(actor_id ORDER BY event_id) FILTER (WHERE kind = 'acknowledged' AND at >= e.alarmed_at))[1] AS acknowledged_by,
           min(at) FILTER (WHERE kind = 'decided' AND at >= e.alarmed_at) AS decided_at,
           (array_agg(detail ->> 'act' ORDER BY event_id) FILTER (WHERE kind = 'decided' AND at >= e.alarmed_at))[1] AS decision
      FROM episode_event WHERE episode_id = e.episode_id) v
 CROSS JOIN LATERAL (
    SELECT min(m.created_at) AS noticed_at, count(*) AS notices, min(COALESCE(m.taken_at, g.sent_at)) AS delivered_at,
           count(m.taken_at) AS delivered, count(g.sent_at) AS gathered,
           array_agg(DISTINCT g.notice_id) FILTER (WHERE g.sent_at IS NOT NULL) AS gathered_by
      FROM (SELECT *, CASE WHEN outcome = 'accepted by channel' THEN sent_at END AS taken_at FROM notice
             WHERE episode_id = e.episode_id AND audience <> 'household') m
      LEFT JOIN notice f ON f.notice_id = m.gathered_into
      LEFT JOIN LATERAL (   -- the notice that speaks of it, over whichever of the person's channels took it first
           SELECT h.notice_id, h.sent_at FROM notice h
            WHERE h.recipient_id = f.recipient_id AND h.gathered IS NOT NULL AND h.outcome = 'accepted by channel'
              AND regexp_replace(h.key, ':[0-9]+$', '') = regexp_replace(f.key, ':[0-9]+$', '')
            ORDER BY h.sent_at LIMIT 1) g ON true) n
 WHERE e.episode_id = %(episode_id)s;

-- name: traced_referral
-- The last referral of an episode.
SELECT r.*, f.name AS facility,
       (SELECT count(*) FROM referral_event v WHERE v.referral_id = r.referral_id AND v.refusal IS NOT NULL) AS refusals
  FROM referral r LEFT JOIN care_facility f USING (facility_id)
 WHERE r.episode_id = %(episode_id)s ORDER BY r.referral_id DESC LIMIT 1;
