-- An ambulance may be on its way before any hospital is found: who says that it has arrived says where.
-- hearthwatch: always
ALTER TABLE referral DROP CONSTRAINT referral_check2;
ALTER TABLE referral ADD CONSTRAINT referral_names_a_hospital
    CHECK (stage IN ('unplaced', 'in_transit', 'ended') OR facility_id IS NOT NULL);
