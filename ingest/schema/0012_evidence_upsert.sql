-- As before, with its plan kept: ten thousand alarms at once ask it twenty thousand times.
-- hearthwatch: always
CREATE OR REPLACE FUNCTION keep_evidence(of_episode bigint, of_patient integer, since timestamptz, until timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO evidence_window AS w (episode_id, patient_id, from_at, until_at)
    VALUES (of_episode, of_patient, since, COALESCE(until, 'infinity'))
        ON CONFLICT (episode_id) DO UPDATE SET from_at = LEAST(w.from_at, since), until_at = COALESCE(until, w.until_at);
END $$;
