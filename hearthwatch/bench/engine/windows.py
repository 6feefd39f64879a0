"""The sustained rules without a state, over a whole stream at once, for peers that work by tables: DuckDB and Polars.

A rule's conditions (met, building up, no more building up, well long enough) follow from the samples alone where its
window and the present bucket are not longer than its clearing time: when it clears, its window holds no breach. Of
another rule the windows still hold breaches from before it cleared: its events are an approximation. No sample may come
late, and each of more than 40 in ten seconds counts. A query gives the samples at which the conditions are others than
before; what they mean for the rule is walked through here.
"""

from collections.abc import Iterable

from vitals.sustained import Kind, Phase, SustainedEvent, SustainedRule

MET, BUILDS, DISCARDS, CLEARS = 1, 2, 4, 8
"""Bits of a sample's conditions for a rule."""

Turn = tuple[int, int, int, int, int, int, int, int]
"""Row, Unix ms, value, conditions, since, valid, below, buckets; in the order of rows, then of time."""

Said = list[tuple[int, SustainedEvent]]


def is_by_windows(rule: SustainedRule) -> bool:
    """Say whether a rule's conditions follow from the samples alone, so that its events are the oracle's."""
    return rule.window_ms + rule.grain.bucket_ms <= rule.clear_ms


def events(rule: SustainedRule, turns: Iterable[Turn]) -> Said:
    """Walk through the samples at which the rule's conditions change."""
    said: Said = []
    whose, phase = -1, Phase.IDLE
    for row, t, value, conditions, since, valid, below, buckets in turns:
        if row != whose:
            whose, phase = row, Phase.IDLE
        kind = None
        if phase is Phase.ACTIVE:
            kind = Kind.CLEAR if conditions & CLEARS else None
        elif conditions & MET:
            kind = Kind.RAISE
        elif conditions & BUILDS:
            kind = Kind.PENDING if phase is Phase.IDLE else None
        elif conditions & DISCARDS:
            kind = Kind.DISCARD if phase is Phase.PENDING else None
        if kind is None:
            continue
        phase = {Kind.RAISE: Phase.ACTIVE, Kind.PENDING: Phase.PENDING}.get(kind, Phase.IDLE)
        said.append(
            (
                row,
                SustainedEvent(
                    rule=rule.rule,
                    kind=kind,
                    at_ms=t,
                    since_ms=since,
                    value=value,
                    valid=valid,
                    below=below,
                    buckets=buckets,
                ),
            )
        )
    return said
