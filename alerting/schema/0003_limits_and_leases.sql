-- What each patient is held to, by whose order, and which worker may judge which partition until when.
-- hearthwatch: always

-- A partition belongs to its owner until `leased_until`, by the server's clock; '' or a lease that has run out: free.
-- Whoever takes it over raises `version`, and the former owner can commit nothing more (docs/alert-engine.md).
ALTER TABLE engine_cursor ADD COLUMN leased_until timestamptz;

-- Whoever was last measured before this instant may lack readings in these arrays, as they were once rebuilt from the
-- log's last minutes: he is judged again from what is stored when he is next heard.
ALTER TABLE engine_snapshot ADD COLUMN whole_from_ms bigint NOT NULL DEFAULT -1000000000;

-- Which workers there are: each shows until when it is to be believed alive. They share the partitions evenly.
CREATE TABLE engine_worker (
    owner       text PRIMARY KEY,
    alive_until timestamptz NOT NULL
);

-- What the log said a patient is held to, from which batch on; written in the transaction that moves the cursor past
-- the event. `said` is its line (alerting/judging/held.py). A patient without a row is held to the profile's own limits.
-- Beside the newest, those stay that hold where a rebuild begins.
CREATE TABLE engine_limits (
    partition  smallint NOT NULL,
    patient_id integer NOT NULL,
    batch_id   bigint NOT NULL,
    said       text NOT NULL,
    said_at    timestamptz NOT NULL,
    PRIMARY KEY (partition, patient_id, batch_id)
);

-- What was last put into the log about a patient, judged or not yet: nothing is said twice.
CREATE TABLE limits_said (
    patient_id integer PRIMARY KEY,
    said       text NOT NULL,
    said_at    timestamptz NOT NULL
);

-- A doctor's limits for one patient, in the signal's scale, `breach` exclusive. Of several in force the newest holds.
-- Append only: an order is revoked, once, and never changed or deleted.
CREATE TABLE limit_order (
    order_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id  integer NOT NULL,
    rule        text NOT NULL,
    breach      smallint NOT NULL,
    clear_at    smallint NOT NULL,
    reason      text NOT NULL CHECK (reason <> ''),
    ordered_by  integer NOT NULL,
    ordered_at  timestamptz NOT NULL,
    valid_until timestamptz NOT NULL,
    revoked_by  integer,
    revoked_at  timestamptz,
    CHECK (valid_until > ordered_at),
    CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
);
CREATE INDEX limit_order_of ON limit_order (patient_id, order_id);
CREATE INDEX limit_order_in_force ON limit_order (valid_until) WHERE revoked_at IS NULL;

CREATE FUNCTION limit_order_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.revoked_at IS NULL
       AND (to_jsonb(NEW) - 'revoked_by' - 'revoked_at') = (to_jsonb(OLD) - 'revoked_by' - 'revoked_at') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'limit_order % is a record: it can be revoked once, not changed or deleted', OLD.order_id;
END $$;
CREATE TRIGGER limit_order_stays BEFORE UPDATE OR DELETE ON limit_order
    FOR EACH ROW EXECUTE FUNCTION limit_order_stays();

-- Each patient's personal baseline of SpO2, scaled; NULL: he had one, and has too few sessions now.
CREATE TABLE baseline (
    patient_id  integer PRIMARY KEY,
    spo2        smallint,
    computed_at timestamptz NOT NULL
);

-- Patients whose orders or baseline have changed: to be compared with what the log says, without looking at all others.
CREATE TABLE limits_dirty (patient_id integer PRIMARY KEY);

CREATE FUNCTION limits_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO limits_dirty (patient_id) VALUES (NEW.patient_id) ON CONFLICT (patient_id) DO NOTHING;
    PERFORM pg_notify('limits', '');
    RETURN NULL;
END $$;
CREATE TRIGGER limits_changed AFTER INSERT OR UPDATE ON limit_order
    FOR EACH ROW EXECUTE FUNCTION limits_changed();
CREATE TRIGGER limits_changed AFTER INSERT OR UPDATE ON baseline
    FOR EACH ROW EXECUTE FUNCTION limits_changed();
