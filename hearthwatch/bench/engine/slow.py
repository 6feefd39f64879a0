"""Counts the samples that have to be held against the rules, where most only prove to change nothing."""

from collections.abc import Iterable

from hearthwatch.bench.engine.plain import BandedWard
from hearthwatch.bench.engine.traffic import Samples


def slow_percent(ward: BandedWard, samples: Samples) -> float:
    """Judge samples and say which percentage broke a limit or met a rule that was holding or building up something.

    The first sample in ten seconds of a patient who is well is not among them, though a bucket begins there.
    """
    slow = 0
    for row, t_ms, value in columns(samples):
        patient = ward.patients[row]
        inside = patient.low <= value <= patient.high
        slow += not (inside and (t_ms < patient.end or not patient.busy))
        patient.take(t_ms, value)
    return 100 * slow / max(1, len(samples.rows))


def columns(samples: Samples) -> Iterable[tuple[int, int, int]]:
    """Give row, Unix ms and value of each sample."""
    return zip(samples.rows.tolist(), samples.t_ms.tolist(), samples.values.tolist(), strict=True)
