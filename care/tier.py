"""The service tier that the table of tiers gives a patient (core; CLINICAL sections 1 and 5).

It is shown beside what a person has set, and sets nothing: whom an alarm pages hangs on the tier in the registry.
"""

from care.registry import RiskColour, ServiceTier

BY_COLOUR = {
    RiskColour.GREEN: ServiceTier.ONE,
    RiskColour.YELLOW: ServiceTier.TWO,
    RiskColour.RED: ServiceTier.THREE,
}


def tier_by_table(colour: RiskColour, *, case_open: bool) -> ServiceTier:
    """Give the tier by colour; 3 while a case of tier 3 is open."""
    return ServiceTier.THREE if case_open else BY_COLOUR[colour]
