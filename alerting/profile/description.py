"""A profile as a clinician reads it: one line a rule, limits and persistence in words."""

from dataclasses import fields

from alerting.profile.bounds import bound
from alerting.profile.profile import Profile, Timers
from vitals.signals import Signal

TIMER_NAMES = tuple(field.name for field in fields(Timers))


def described(profile: Profile) -> list[tuple[str, str, str, str, str, str]]:
    """Give each rule as a line a clinician reads: id, how it is judged, limit, persistence, priority, tier 3."""
    judged: list[tuple[str, str, str, str]] = [
        (
            r.rule,
            "sustained",
            bound(channel.signal, r.limit.breach, low=r.low),
            f"{r.share_percent} % of samples in {r.window_ms // 1000} s, coverage {r.coverage_percent} %",
        )
        for channel, rules in profile.sustained.items()
        for r in rules
    ]
    judged += [
        (
            r.rule,
            "repeat",
            bound(r.signal, r.limit, low=r.low),
            f"a second one {r.repeat_from_ms // 1000}-{r.repeat_until_ms // 1000} s later, or none in time",
        )
        for r in profile.repeat
    ]
    judged += [
        (
            r.rule,
            "fever",
            bound(Signal.TEMPERATURE, r.above, low=False),
            f"longer than {r.longer_than_ms / 3_600_000:g} h, one such reading each {r.block_ms / 3_600_000:g} h",
        )
        for r in profile.fever
    ]
    lines = []
    for rule, how, limit, persistence in judged:
        consequence = profile.consequences[rule]
        urgency = f"{consequence.priority} + emergency" if consequence.emergency else consequence.priority.value
        lines.append((rule, how, limit, persistence, urgency, "yes" if consequence.tier3 else "no"))
    return lines
