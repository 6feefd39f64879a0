-- Sites whose devices are simulated: a training room, a bench of devices under test.
-- hearthwatch: always

-- What a device there says of itself to be a demonstration or a test is taken; anywhere else it is put aside. Holds for
-- the organisations below, too.
ALTER TABLE organisation ADD COLUMN simulator boolean NOT NULL DEFAULT false;

CREATE OR REPLACE VIEW care_organisation AS
    SELECT organisation_id, key, name, name_en, facility_role, parent_id, time_zone, simulator FROM organisation;

CREATE OR REPLACE VIEW care_gateway AS
    SELECT g.gateway_id, g.organisation_id, g.place, o.key AS organisation_key, o.name AS organisation_name,
           o.name_en AS organisation_name_en,
           EXISTS (SELECT FROM care_organisation_ancestor a JOIN organisation above ON above.organisation_id = a.ancestor_id
                    WHERE a.organisation_id = g.organisation_id AND above.simulator) AS simulator
      FROM gateway g JOIN organisation o USING (organisation_id);
