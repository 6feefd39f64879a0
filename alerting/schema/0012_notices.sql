-- Links that acknowledge, notices gathered into one, and tests of paging.
-- hearthwatch: always

-- A marked test that pages whoever would be paged. It is no episode.
CREATE TABLE page_test (
    page_test_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organisation_id integer NOT NULL,                      -- it and all below it were tested
    everybody       boolean NOT NULL,                      -- not only who was on duty
    begun_by        integer NOT NULL,
    begun_at        timestamptz NOT NULL,
    until           timestamptz NOT NULL                   -- after this nothing of it is sent, and no link answers
);
CREATE INDEX page_test_of ON page_test (organisation_id, page_test_id);

ALTER TABLE notice
    ADD COLUMN may_wait boolean NOT NULL DEFAULT false,    -- beyond so many in so long it is gathered with others
    ADD COLUMN gathered_into bigint REFERENCES notice,     -- the notice that speaks of it instead
    ADD COLUMN gathered integer,                           -- of how many others this one speaks; NULL: of none
    ADD COLUMN page_test_id bigint REFERENCES page_test,
    ADD COLUMN link_used_at timestamptz,                   -- when its link acknowledged, or answered a test
    DROP CONSTRAINT notice_of_one,
    ADD CONSTRAINT notice_of_one CHECK (num_nonnulls(episode_id, patient_id, page_test_id, gathered) = 1),
    DROP CONSTRAINT notice_asks_in_time,
    ADD CONSTRAINT notice_asks_in_time CHECK ((num_nonnulls(patient_id, page_test_id) = 0) = (good_until IS NULL));
CREATE INDEX notice_waiting ON notice (recipient_id, created_at) WHERE may_wait OR gathered IS NOT NULL;
CREATE INDEX notice_may_wait ON notice (due_at) WHERE may_wait AND attempts = 0 AND due_at IS NOT NULL;
CREATE INDEX notice_gathered ON notice (gathered_into) WHERE gathered_into IS NOT NULL;
CREATE INDEX notice_of_test ON notice (page_test_id) WHERE page_test_id IS NOT NULL;
