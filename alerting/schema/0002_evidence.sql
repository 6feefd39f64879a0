-- Evidence: the samples about an episode are kept with it, when ingest drops their day (ingest/schema/0003).
-- hearthwatch: always

-- From when the condition began until it ended; it ends when it is cleared, or when a person closes the episode. What
-- is technical (silence) has no samples to keep. `past` is what was over before it was known.
CREATE FUNCTION episode_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM keep_evidence(NEW.episode_id, NEW.patient_id, LEAST(NEW.since, NEW.raised_at),
        GREATEST(NEW.raised_at, COALESCE(
            NEW.cleared_at, NEW.closed_at, CASE WHEN NEW.condition = 'cleared' THEN NEW.raised_at END, 'infinity')));
    RETURN NULL;
END $$;
CREATE TRIGGER keep_evidence AFTER INSERT OR UPDATE OF since, raised_at, condition, cleared_at, closed_at ON episode
    FOR EACH ROW WHEN (NOT NEW.technical) EXECUTE FUNCTION episode_evidence();

-- A raise that only counts may have begun before the episode it is counted on.
CREATE FUNCTION raise_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM keep_evidence(e.episode_id, e.patient_id, (NEW.detail ->> 'since')::timestamptz, NULL)
       FROM episode e WHERE e.episode_id = NEW.episode_id AND NOT e.technical;
    RETURN NULL;
END $$;
CREATE TRIGGER keep_evidence AFTER INSERT ON episode_event
    FOR EACH ROW WHEN (NEW.kind IN ('raised', 'raised_anew', 'raised_again') AND NEW.detail ? 'since')
    EXECUTE FUNCTION raise_evidence();

UPDATE episode SET since = since WHERE NOT technical;  -- those that there are already
