-- name: on_duty
-- Who holds a duty at an instant, at the nearest organisation at or above the given one where anybody does.
WITH holder AS (
    SELECT d.person_id, a.distance
      FROM duty d JOIN care_organisation_ancestor a ON a.ancestor_id = d.organisation_id
     WHERE a.organisation_id = %(organisation_id)s AND d.duty_role = %(duty_role)s AND d.valid @> %(now)s::timestamptz)
SELECT DISTINCT p.person_id, p.key, p.name, p.name_en, p.role, p.service_tier, p.channels
  FROM holder h JOIN person p USING (person_id)
 WHERE h.distance = (SELECT min(distance) FROM holder)
 ORDER BY p.person_id;

-- name: family_doctor
-- A patient's family doctor.
SELECT f.person_id, f.key, f.name, f.name_en, f.role, f.service_tier, f.channels
  FROM patient p JOIN person f ON f.person_id = p.family_doctor_id WHERE p.patient_id = %(patient_id)s;
