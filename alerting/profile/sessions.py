"""Reads when a finger clip's stream is a measurement, and what is activity, and what a baseline is made of (3.1)."""

from typing import Any

from alerting.profile.singles import ActivityRule, BaselineRule, SessionRule
from alerting.profile.tables import ProfileError, count, difference, millis, only
from vitals.signals import Signal

_BASELINE = frozenset({"sessions_min", "span_s", "limit_step", "coverage_percent", "hour_steps_max"})


def session_rule(table: dict[str, Any]) -> SessionRule:
    """Read the table `sessions`."""
    where = "sessions"
    only(where, table, frozenset({"at_least_s", "median_of_last_s", "spread_max", "unchanged_s", "gap_s", "give_up_s"}))
    made = SessionRule(
        at_least_ms=millis(table, where, "at_least_s"),
        median_of_last_ms=millis(table, where, "median_of_last_s"),
        spread_max=difference(table, where, "spread_max", Signal.SPO2),
        unchanged_ms=millis(table, where, "unchanged_s"),
        gap_ms=millis(table, where, "gap_s"),
        give_up_ms=millis(table, where, "give_up_s"),
    )
    if not 0 < made.unchanged_ms <= made.median_of_last_ms <= made.at_least_ms <= made.give_up_ms:
        raise ProfileError(f"{where}: unchanged_s, median_of_last_s, at_least_s and give_up_s must grow")
    if not 0 < made.gap_ms < made.median_of_last_ms:
        raise ProfileError(f"{where}: gap_s = {made.gap_ms // 1000}, not between 0 and median_of_last_s")
    return made


def baseline_rule(table: dict[str, Any]) -> BaselineRule:
    """Read the table `baseline`."""
    only("baseline", table, _BASELINE)
    if not (sessions_min := count(table, "baseline", "sessions_min", 1000)):
        raise ProfileError("baseline: sessions_min = 0, a median needs one at least")
    return BaselineRule(
        sessions_min=sessions_min,
        span_ms=millis(table, "baseline", "span_s"),
        limit_step=difference(table, "baseline", "limit_step", Signal.SPO2),
        coverage_percent=count(table, "baseline", "coverage_percent", 100),
        hour_steps_max=count(table, "baseline", "hour_steps_max"),
    )


def activity_rule(table: dict[str, Any]) -> ActivityRule:
    """Read the table `activity`."""
    only("activity", table, frozenset({"steps", "span_s", "within_s"}))
    made = ActivityRule(
        steps=count(table, "activity", "steps"),
        span_ms=millis(table, "activity", "span_s"),
        within_ms=millis(table, "activity", "within_s"),
    )
    if not (made.steps and made.span_ms):
        raise ProfileError("activity: steps and span_s = 0, nothing would be activity, or everything")
    return made
