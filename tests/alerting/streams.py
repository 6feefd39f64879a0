"""What tests of the engine and of its shells judge: the shipped profile, and the streams of the engine's gate."""

from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.profile import Channel, Profile
from hearthwatch.bench.engine.streams import MANY, Said, Sample, columns, oracle, stream
from tests.falls import fall_s, share_s
from vitals.signals import Signal

__all__ = ["CRIT", "FALL_S", "MANY", "SHARE_S", "SPO2", "Said", "Sample", "columns", "oracle", "profile", "stream"]

SPO2 = Channel(signal=Signal.SPO2)


def profile() -> Profile:
    """Give the profile that ships with the product."""
    return parse_profile(standard_adult())


(CRIT,) = (rule for rule in profile().sustained[SPO2] if rule.rule == "SPO2-CRIT")
FALL_S, SHARE_S = fall_s(CRIT), share_s(CRIT)
"""How many critical values, one a second, surely raise SPO2-CRIT, and how many may."""
