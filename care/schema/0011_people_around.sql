-- Who is told at home; undecided warning signs with their deadline; helpers who sign in as members of a team.
-- hearthwatch: always

-- Published to alerting: whom a household's notices go to, in order. Its own channels first, then each contact whom the
-- patient wants to hear of his health, while his consent to telling kin holds (PIPL 29): without a line of it nobody.
CREATE VIEW care_household AS
    SELECT patient_id, 0 AS place, '' AS name, household_channels AS channels FROM patient WHERE household_channels <> '{}'
     UNION ALL
    SELECT c.patient_id, c.place, c.name, c.channels FROM contact c
     WHERE c.ended_at IS NULL AND c.may_be_told AND c.channels <> '{}'
       AND COALESCE((SELECT s.given FROM consent s WHERE s.patient_id = c.patient_id AND s.purpose = 'telling_kin'
                      ORDER BY s.at DESC, s.consent_id DESC LIMIT 1), false);

-- By when somebody has to decide on a contact's warning signs; the line goes with the decision. A decision without a
-- person is the clock's: nobody decided in time, and the alarm was raised.
CREATE TABLE undecided_sign (
    contact_id bigint PRIMARY KEY REFERENCES follow_up_contact,
    decide_by  timestamptz NOT NULL
);
CREATE INDEX undecided_sign_due ON undecided_sign (decide_by);
ALTER TABLE follow_up_decision
    ALTER COLUMN person_id DROP NOT NULL,
    ADD CHECK (person_id IS NOT NULL OR decision = 'alarm');
INSERT INTO undecided_sign (contact_id, decide_by)    -- what awaits a decision since less than a day; before, on the list
SELECT c.contact_id, now() FROM follow_up_contact c
 WHERE c.has_warning AND c.at > now() - interval '1 day'
   AND NOT EXISTS (SELECT FROM follow_up_decision d WHERE d.contact_id = c.contact_id);

-- Without those who are said to have died, whose household is not to be asked to call 120.
CREATE VIEW care_undecided_sign AS
    SELECT u.contact_id, u.decide_by, f.patient_id
      FROM undecided_sign u JOIN follow_up_contact c USING (contact_id) JOIN follow_up f USING (follow_up_id)
      JOIN care_patient_status s ON s.patient_id = f.patient_id
     WHERE s.status <> 'dead' AND f.ended_as IS DISTINCT FROM 'died';

CREATE OR REPLACE VIEW care_follow_up_contact AS
    SELECT c.contact_id, c.follow_up_id, f.patient_id, c.at, c.person_id, p.name AS person_name,
           p.name_en AS person_name_en, c.way, c.reached, c.signs, c.has_warning, c.temperature, c.spo2, c.antigen,
           c.antigen_at, c.note, d.decision, d.note AS decision_note, d.at AS decided_at,
           d.decision IS NOT NULL AND d.person_id IS NULL AS decided_by_clock, u.decide_by
      FROM follow_up_contact c JOIN follow_up f USING (follow_up_id) JOIN person p USING (person_id)
      LEFT JOIN follow_up_decision d USING (contact_id) LEFT JOIN undecided_sign u USING (contact_id);

-- Moves by one whenever it may have become another who is on duty for whom: who looks for holes looks again.
CREATE TABLE roster_version (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), version bigint NOT NULL);
INSERT INTO roster_version (version) VALUES (1);
CREATE FUNCTION roster_is_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE roster_version SET version = version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER roster_is_another AFTER INSERT OR UPDATE OR DELETE ON duty
    FOR EACH STATEMENT EXECUTE FUNCTION roster_is_another();
CREATE TRIGGER roster_is_another AFTER INSERT OR UPDATE ON duty_change
    FOR EACH STATEMENT EXECUTE FUNCTION roster_is_another();
CREATE TRIGGER roster_is_another AFTER INSERT OR DELETE OR UPDATE OF parent_id ON organisation
    FOR EACH STATEMENT EXECUTE FUNCTION roster_is_another();
CREATE TRIGGER roster_is_another AFTER INSERT OR DELETE OR UPDATE OF organisation_id ON patient
    FOR EACH STATEMENT EXECUTE FUNCTION roster_is_another();
CREATE VIEW care_roster_version AS SELECT version FROM roster_version;

-- Whom an override puts somebody in the place of: the one it names, else whoever held the duty in some of its time.
CREATE VIEW care_duty_replaced AS
    SELECT DISTINCT c.change_id, h.person_id
      FROM duty_change c CROSS JOIN LATERAL (
           SELECT d.person_id FROM duty d
            WHERE (d.organisation_id, d.duty_role) = (c.organisation_id, c.duty_role) AND d.valid && c.valid
            UNION
           SELECT o.person_id FROM care_duty_change o
            WHERE (o.organisation_id, o.duty_role) = (c.organisation_id, c.duty_role) AND o.held && c.valid
              AND o.kind <> 'leave' AND o.change_id < c.change_id) h
     WHERE c.kind = 'override' AND h.person_id <> c.person_id AND COALESCE(c.in_place_of_id, h.person_id) = h.person_id;

-- Helpers of a team: people who sign in (role helper), or a name and phone of somebody who does not.
ALTER TABLE team_member
    DROP CONSTRAINT team_member_check,
    DROP CONSTRAINT team_member_check1,
    ADD CONSTRAINT team_member_is_somebody CHECK ((person_id IS NULL) = (helper <> '')),
    ADD CONSTRAINT team_member_named_helps CHECK (helper = '' OR member_role = 'helper');

-- The helpers who sign in, of each patient's team: a task for whoever takes it is theirs. Where there is none it is for
-- the helpers of the organisation, as before.
CREATE VIEW care_team_helper AS
    SELECT p.patient_id, m.team_id, m.person_id
      FROM team_patient p JOIN team_member m USING (team_id)
     WHERE p.until IS NULL AND m.left_at IS NULL AND m.member_role = 'helper' AND m.person_id IS NOT NULL;
