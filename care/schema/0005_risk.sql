-- Risk colour with its provenance: what the annex asks of a patient, and every assessment that changed anything.
-- hearthwatch: always

ALTER TABLE patient
    ADD COLUMN underlying_disease text CHECK (underlying_disease IN ('none', 'stable', 'unstable')),
    ADD COLUMN vaccination        text CHECK (vaccination IN ('full', 'partial', 'none')),
    ADD COLUMN risk_colour_set    text CHECK (risk_colour_set IN ('green', 'yellow', 'red'));
-- `risk_colour` is what holds: the higher of what a person set and what the facts say. NULL facts: nobody has said.
UPDATE patient SET risk_colour_set = risk_colour;

-- Append only: one line where an assessment said something else than the last one. `review`: why somebody is to look.
CREATE TABLE risk_assessment (
    assessment_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id         integer NOT NULL REFERENCES patient,
    at                 timestamptz NOT NULL,
    age_band           text NOT NULL,
    underlying_disease text NOT NULL,
    vaccination        text NOT NULL,
    clause             text NOT NULL,     -- a row of the annex's table, or score (docs/risk.md)
    points             smallint NOT NULL,
    by_score           text NOT NULL,
    was                text NOT NULL,     -- the colour before
    colour             text NOT NULL,     -- the colour since
    review             text NOT NULL DEFAULT '',
    reviewed_by        integer REFERENCES person (person_id),
    reviewed_at        timestamptz
);
CREATE INDEX risk_assessment_of ON risk_assessment (patient_id, assessment_id DESC);
CREATE INDEX risk_to_review ON risk_assessment (at) WHERE review <> '' AND reviewed_at IS NULL;

-- Published: whose colour somebody should look at.
CREATE VIEW care_colour_to_review AS
    SELECT DISTINCT ON (a.patient_id) a.assessment_id, a.patient_id, a.at, a.clause, a.points, a.by_score, a.colour, a.review
      FROM risk_assessment a WHERE a.review <> '' AND a.reviewed_at IS NULL
     ORDER BY a.patient_id, a.assessment_id DESC;
