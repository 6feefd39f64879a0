-- Measurements by themselves, and steps, are few among the samples of a wearer: found without reading his days.
-- hearthwatch: always

CREATE INDEX sample_single ON sample (patient_id, measured_at)
    WHERE acquisition <> 0 OR temperature IS NOT NULL OR systolic IS NOT NULL OR diastolic IS NOT NULL
       OR mean_arterial IS NOT NULL OR glucose IS NOT NULL OR weight IS NOT NULL OR steps > 0;
