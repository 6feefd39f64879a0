-- What other rooms may read of the registry beside bindings and patients: devices, gateways, its version.
-- hearthwatch: always

-- Every registered device, also those nobody ever wore.
CREATE VIEW care_device AS
    SELECT device_id, key AS device_key, kind, wellness, expected_every_s FROM device;

CREATE VIEW care_gateway AS
    SELECT g.gateway_id, g.organisation_id, g.place, o.key AS organisation_key, o.name AS organisation_name,
           o.name_en AS organisation_name_en
      FROM gateway g JOIN organisation o USING (organisation_id);

CREATE VIEW care_registry_version AS SELECT version FROM registry_version;

-- An empty interval (bound and unbound at one instant) was never worn: its NULL bounds must not read as "always".
CREATE OR REPLACE VIEW care_binding AS
    SELECT d.key AS device_key, d.device_id, d.kind, d.wellness, d.expected_every_s, b.patient_id,
           lower(b.valid) AS valid_from, upper(b.valid) AS valid_until
      FROM device d JOIN binding b USING (device_id)
     WHERE NOT isempty(b.valid);
