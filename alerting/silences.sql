-- Statements of silences that people set. A statement starts with a line `-- name: <name>`.

-- name: silence_target
-- Whose a target is, by its kind and key: a patient, a gateway, a device (its wearer's, or where it is read), or an
-- organisation.
SELECT p.patient_id, NULL::text AS gateway_id, NULL::text AS device_key, p.organisation_id
  FROM care_patient p WHERE %(target)s = 'patient' AND p.key = %(name)s
 UNION ALL
SELECT NULL, g.gateway_id, NULL, g.organisation_id FROM care_gateway g WHERE %(target)s = 'gateway' AND g.gateway_id = %(name)s
 UNION ALL
SELECT NULL, NULL, d.device_key, w.organisation_id
  FROM care_device d CROSS JOIN LATERAL (
    SELECT organisation_id FROM (
        SELECT 1 AS place, p.organisation_id FROM care_binding b JOIN care_patient p USING (patient_id)
         WHERE b.device_id = d.device_id AND b.valid_from <= %(now)s AND (b.valid_until IS NULL OR b.valid_until > %(now)s)
         UNION ALL
        SELECT 2, g.organisation_id FROM care_claim c JOIN care_gateway g USING (gateway_id)
         WHERE c.device_id = d.device_id AND c.released_at IS NULL) AS near
     ORDER BY place LIMIT 1) w
 WHERE %(target)s = 'device' AND d.device_key = %(name)s
 UNION ALL
SELECT NULL, NULL, NULL, o.organisation_id FROM care_organisation o WHERE %(target)s = 'organisation' AND o.key = %(name)s;

-- name: insert_silence
-- A silence is set.
INSERT INTO alarm_silence (patient_id, gateway_id, device_key, organisation_id, technical, rule, priority, reason, set_by,
    set_at, since, until)
VALUES (%(patient_id)s, %(gateway_id)s, %(device_key)s, %(organisation_id)s, %(technical)s, %(rule)s, %(priority)s,
    %(reason)s, %(person_id)s, %(now)s, %(since)s, %(until)s) RETURNING silence_id;

-- name: lock_silence
-- One silence, to be lifted.
SELECT silence_id, patient_id, gateway_id, device_key, technical, until, lifted_at
  FROM alarm_silence WHERE silence_id = %(silence_id)s FOR UPDATE;

-- name: lift_silence
-- It holds no more.
UPDATE alarm_silence SET lifted_by = %(person_id)s, lifted_at = %(now)s WHERE silence_id = %(silence_id)s;

-- name: hold_pages_back
-- Which of these episodes page nobody now, and for which of them that begins now.
WITH held AS (SELECT episode_id, silence_id FROM silenced(%(now)s) WHERE episode_id = ANY(%(episodes)s)),
     begun AS (INSERT INTO episode_silence (episode_id, silence_id, since)
               SELECT episode_id, silence_id, %(now)s FROM held ON CONFLICT (episode_id) DO NOTHING RETURNING episode_id)
SELECT held.episode_id, held.silence_id, begun.episode_id IS NOT NULL AS begins
  FROM held LEFT JOIN begun USING (episode_id);

-- name: silences_to_begin
-- Open episodes that a silence holds back and of which that is not noted.
SELECT s.episode_id FROM silenced(%(now)s) s
 WHERE NOT EXISTS (SELECT FROM episode_silence h WHERE h.episode_id = s.episode_id);

-- name: silences_to_end
-- Episodes that were held back and are by that silence no more; `next`: by another one.
SELECT h.episode_id, h.silence_id, s.silence_id AS next
  FROM episode_silence h LEFT JOIN silenced(%(now)s) s USING (episode_id)
 WHERE s.silence_id IS DISTINCT FROM h.silence_id;

-- name: silenced_by
-- Which silence holds an episode back now, under its lock.
SELECT silence_id FROM silenced(%(now)s) WHERE episode_id = %(episode_id)s;

-- name: pass_silence_on
-- Another silence holds it back from now on.
UPDATE episode_silence SET silence_id = %(next)s WHERE episode_id = %(episode_id)s;

-- name: end_silence
-- It is held back no more; gives by what it was, how that ended, and whether somebody was told of it meanwhile all the
-- same: as a worse alarm, or as it was handed on.
DELETE FROM episode_silence h USING alarm_silence s
 WHERE h.episode_id = %(episode_id)s AND s.silence_id = h.silence_id
RETURNING h.silence_id, CASE WHEN s.lifted_at IS NOT NULL THEN 'lifted' WHEN s.until <= %(now)s THEN 'expired'
                             ELSE 'not_held_back' END AS why,
          EXISTS (SELECT FROM notice n WHERE n.episode_id = h.episode_id AND n.created_at > h.since) AS told;

-- name: traced_silence
-- What holds an episode's pages back now, and who said so.
SELECT s.silence_id, s.until, s.reason, p.name AS set_by
  FROM silenced(%(now)s) h JOIN alarm_silence s USING (silence_id) LEFT JOIN care_person p ON p.person_id = s.set_by
 WHERE h.episode_id = %(episode_id)s;

-- name: whose_episode
-- Whose an episode is.
SELECT patient_id, subject FROM episode WHERE episode_id = %(episode_id)s;
