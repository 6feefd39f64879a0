-- What a storm asks by indexes: which notice goes first where ten thousand are due, and which rules hold in a partition.
-- hearthwatch: always

ALTER TABLE notice
    ADD COLUMN urgency smallint NOT NULL DEFAULT 1;    -- 0: of a high alarm, 1: of a medium one, or a test, 2: of a low one
UPDATE notice n SET urgency = CASE e.priority WHEN 'high' THEN 0 WHEN 'low' THEN 2 ELSE 1 END
  FROM episode e WHERE e.episode_id = n.episode_id AND n.due_at IS NOT NULL;
UPDATE notice SET urgency = 0 WHERE gathered IS NOT NULL AND NOT may_wait AND due_at IS NOT NULL;

CREATE INDEX notice_in_turn ON notice (urgency, (attempts > 0), (recipient_id IS NULL), due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notice_urgent ON notice (recipient_id, due_at)
    WHERE due_at IS NOT NULL AND attempts = 0 AND NOT may_wait AND gathered IS NULL AND recipient_id IS NOT NULL;
CREATE INDEX notice_asks ON notice (good_until) WHERE due_at IS NOT NULL AND good_until IS NOT NULL;
CREATE INDEX notice_urgent_lately ON notice (recipient_id, created_at)
    WHERE NOT may_wait AND gathered IS NULL AND recipient_id IS NOT NULL;

CREATE INDEX active_rule_in_partition ON active_rule ((patient_id % 32)) WHERE basis = 'sustained';
CREATE INDEX pending_in_partition ON pending ((patient_id % 32)) WHERE basis = 'sustained';
