"""The sweep's silence rule as a function of event time (CLINICAL 6.4, ADR 6): when good values were away too long."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alerting.engine.layout import Ints
from alerting.profile.profile import Priority, Silence, no_data_rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time without good values: from the last one to the next; `until_ms` None where none came any more."""

    since_ms: int
    until_ms: int | None

    def holds_at(self, at_ms: int) -> bool:
        """Say whether no good value has come by then."""
        return self.until_ms is None or at_ms < self.until_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A gap that became an alarm: by which rule (low, later medium), and when."""

    rule: str
    raised_ms: int
    gap: Gap


def gaps_of(good_ms: Ints, longer_than_ms: int, *, begin_ms: int, end_ms: int) -> list[Gap]:
    """Give the gaps of a recording's good values (Unix ms, in order); it begins as if one had just come."""
    edges = np.concatenate([np.array([begin_ms], np.int64), good_ms])
    found = [
        Gap(since_ms=int(edges[i]), until_ms=int(edges[i + 1]))
        for i in np.flatnonzero(np.diff(edges) > longer_than_ms).tolist()
    ]
    if end_ms - int(edges[-1]) >= longer_than_ms:
        found.append(Gap(since_ms=int(edges[-1]), until_ms=None))
    return found


def first_silence(gaps: Sequence[Gap], wait_ms: int, *, not_before_ms: int) -> int | None:
    """Give the first instant from `not_before_ms` on at which good values had been away for `wait_ms`."""
    for gap in gaps:
        at_ms = max(gap.since_ms + wait_ms, not_before_ms)
        if gap.holds_at(at_ms):
            return at_ms
    return None


def silences(gaps: Sequence[Gap], limits: Silence, *, end_ms: int, watched_from_ms: int | None = None) -> list[Quiet]:
    """Judge gaps up to `end_ms`.

    `watched_from_ms`: from then on the medium alarm comes sooner, as an episode is open or the patient is of tier 3.
    """
    said = []
    for gap in gaps:
        due = {
            Priority.LOW: gap.since_ms + limits.low_after_s * 1000,
            Priority.MEDIUM: _medium_ms(gap.since_ms, limits, watched_from_ms),
        }
        said += [
            Quiet(rule=no_data_rule(priority), raised_ms=at_ms, gap=gap)
            for priority, at_ms in due.items()
            if at_ms <= end_ms and gap.holds_at(at_ms)
        ]
    return said


def _medium_ms(since_ms: int, limits: Silence, watched_from_ms: int | None) -> int:
    at_ms = since_ms + limits.medium_after_s * 1000
    if watched_from_ms is None:
        return at_ms
    return min(at_ms, max(since_ms + limits.medium_after_watched_s * 1000, watched_from_ms))
