"""How seldom a stream may speak for a sustained rule to be able to judge it (CLINICAL 3.1: 1 Hz to once a minute)."""

import numpy as np

from alerting.engine.layout import Ints
from vitals.sustained import BUCKET_MS, SustainedRule


def interval_ms(t_ms: Ints) -> int | None:
    """Give the usual time between samples, the median; None where there are not two."""
    if len(t_ms) < 2:
        return None
    return int(np.median(np.diff(t_ms)))


def slowest_ms(rule: SustainedRule) -> int:
    """Give the longest interval at which a steady stream always covers the rule's window, and lets it clear.

    A sample at every interval fills one bucket each, the present one among them. A stream that is slower never raises,
    however low it is: ADR 18 says what judges it instead.
    """
    bucket_ms, window_ms = rule.grain.bucket_ms, rule.window_ms
    asked = -(-rule.coverage_percent * rule.window_buckets // 100)
    covering = window_ms // (asked - 1) if asked > 1 else window_ms
    return min(covering, bucket_ms * (rule.grain.slots - 1), rule.clear_gap_ms + BUCKET_MS)
