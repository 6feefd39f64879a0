"""A case: what tier 3 does about an episode, from the referral to the return home."""
