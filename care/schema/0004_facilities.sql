-- What hospitals can do, which of them a grid's patients go to, and who answers for a referral.
-- hearthwatch: always

ALTER TABLE organisation
    DROP CONSTRAINT organisation_facility_role_check,
    ADD CONSTRAINT organisation_facility_role_check CHECK (facility_role IN (
        'county', 'village_room', 'township_or_community', 'sub_designated', 'designated', 'lead_hospital',
        'partner_tertiary', 'ems_120', 'nursing_home_clinic', 'grid')),
    ADD COLUMN capabilities   text[] NOT NULL DEFAULT '{}',
    ADD COLUMN free_beds      integer CHECK (free_beds >= 0),    -- NULL: it does not say
    ADD COLUMN duty_phone     text NOT NULL DEFAULT '',
    ADD COLUMN counterpart_id integer REFERENCES organisation;   -- who treats the residents of a nursing home

ALTER TABLE person
    DROP CONSTRAINT person_role_check,
    ADD CONSTRAINT person_role_check CHECK (role IN
        ('family_doctor', 'duty', 'county_expert', 'operations', 'nurse', 'technician', 'coordinator', 'admin',
         'referral_desk', 'dispatcher', 'authority'));

ALTER TABLE duty
    DROP CONSTRAINT duty_duty_role_check,
    ADD CONSTRAINT duty_duty_role_check CHECK (duty_role IN
        ('township_duty', 'county_expert', 'operations', 'referral_desk', 'transport', 'authority'));

-- To which hospital of a role the patients of an organisation and all below it go: the first, then its backups.
CREATE TABLE route (
    organisation_id integer NOT NULL REFERENCES organisation,
    facility_role   text NOT NULL,
    place           smallint NOT NULL CHECK (place BETWEEN 1 AND 9),
    facility_id     integer NOT NULL REFERENCES organisation (organisation_id),
    PRIMARY KEY (organisation_id, facility_role, place),
    UNIQUE (organisation_id, facility_role, facility_id)
);

CREATE VIEW care_facility AS
    SELECT organisation_id AS facility_id, key, name, name_en, facility_role, capabilities, free_beds, duty_phone
      FROM organisation
     WHERE facility_role IN ('sub_designated', 'designated', 'lead_hospital', 'partner_tertiary');
