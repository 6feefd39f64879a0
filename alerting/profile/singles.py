"""What the profile says of single measurements beside their limits: sessions, activity, baseline, NEWS2."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class News2Rule:
    """An aggregate score of a complete set (RCP 2017; CLINICAL 2.2): from `total_from` on, or any single item's.

    A set is complete when its newest and oldest item are at most `complete_within_ms` apart. Of a stream counts the
    median over `stream_ms`, where enough of them is covered.
    """

    rule: str
    total_from: int
    single_from: int | None
    complete_within_ms: int
    stream_ms: int
    coverage_percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRule:
    """When a finger clip's stream is one finished measurement (CLINICAL 3.1): the median of its last part.

    A clip ends after `gap_ms` without a number; one that has not come to rest by `give_up_ms` is unstable.
    """

    at_least_ms: int
    median_of_last_ms: int
    spread_max: int
    unchanged_ms: int
    gap_ms: int
    give_up_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityRule:
    """What marks activity: so many steps within `span_ms`; what is measured up to `within_ms` later is after it."""

    steps: int
    span_ms: int
    within_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineRule:
    """Of how many resting measurements, from how long, a personal baseline is the median (CLINICAL 3.1).

    An hour of a wearer is one, where his device covered enough of it and no more steps than these were counted.
    """

    sessions_min: int
    span_ms: int
    limit_step: int
    """A limit made of it is said anew when it has moved by so much."""
    coverage_percent: int
    hour_steps_max: int
