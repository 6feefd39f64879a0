-- Only alarms are gathered where very many come at once: what asks for a thing of its own (a person to call 120, a hospital
-- to answer) is told by itself.
-- hearthwatch: always
ALTER TABLE notice ADD COLUMN is_alarm boolean NOT NULL DEFAULT true;
