-- The next contact of a household is told where nobody has answered; changes of duty are told; the roster's last look.
-- hearthwatch: always

ALTER TABLE notice ADD COLUMN unless_answered boolean NOT NULL DEFAULT false;  -- not sent once the alarm is answered
CREATE INDEX notice_unless_answered ON notice (due_at) WHERE unless_answered AND due_at IS NOT NULL AND attempts = 0;

-- A change of duty is told by a notice of low priority; once, of each thing that is said of it.
ALTER TABLE notice
    ADD COLUMN duty_change_id bigint,
    DROP CONSTRAINT notice_of_one,
    ADD CONSTRAINT notice_of_one CHECK (num_nonnulls(episode_id, patient_id, page_test_id, duty_change_id, gathered) = 1),
    DROP CONSTRAINT notice_asks_in_time,
    ADD CONSTRAINT notice_asks_in_time
        CHECK ((num_nonnulls(patient_id, page_test_id, duty_change_id) = 0) = (good_until IS NULL));
CREATE TABLE duty_told (
    change_id bigint NOT NULL,
    what      text NOT NULL CHECK (what IN ('said', 'accepted', 'revoked')),
    told_at   timestamptz NOT NULL,
    PRIMARY KEY (change_id, what)
);
INSERT INTO duty_told (change_id, what, told_at)    -- what was said until now is known to those whom it concerns
SELECT change_id, what, now() FROM care_duty_change, unnest('{said,accepted,revoked}'::text[]) AS w (what)
 WHERE what = 'said' OR (what = 'accepted' AND accepted_at IS NOT NULL) OR (what = 'revoked' AND revoked_at IS NOT NULL);

-- When the rosters were last looked at for holes, and which they were: nobody looks again while nothing has changed.
CREATE TABLE roster_look (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version   bigint,
    looked_at timestamptz
);
INSERT INTO roster_look DEFAULT VALUES;
