-- What somebody at home is asked to do goes out as a notice that belongs to no episode; whose baseline is looked at when.
-- hearthwatch: always

ALTER TABLE notice ALTER COLUMN episode_id DROP NOT NULL;
ALTER TABLE notice ADD COLUMN patient_id integer;
ALTER TABLE notice ADD COLUMN good_until timestamptz;
ALTER TABLE notice ADD CONSTRAINT notice_of_one CHECK ((episode_id IS NULL) = (patient_id IS NOT NULL));
ALTER TABLE notice ADD CONSTRAINT notice_asks_in_time CHECK ((patient_id IS NULL) = (good_until IS NULL));
CREATE INDEX notice_asking ON notice (patient_id, created_at) WHERE patient_id IS NOT NULL;
COMMENT ON COLUMN notice.patient_id IS 'whose household is asked, where there is no episode';
COMMENT ON COLUMN notice.good_until IS 'after this what is asked has no sense any more, and is not sent again';

ALTER TABLE prompt DROP CONSTRAINT prompt_reason_check;
ALTER TABLE prompt ADD CONSTRAINT prompt_reason_check
    CHECK (reason IN ('repeat', 'unstable', 'worn_fever', 'fever_signs', 'data_gap'));

-- When each patient's baseline was last looked at; apart from `baseline`, whose every change is looked at in turn.
CREATE TABLE baseline_look (
    patient_id integer PRIMARY KEY,
    looked_at  timestamptz NOT NULL
);
