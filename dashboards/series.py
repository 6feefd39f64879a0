"""A patient's signals over time as a chart draws them: gaps stay gaps, doubtful values stand apart (core)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from vitals.signals import Signal

CHARTED = (Signal.SPO2, Signal.PULSE, Signal.TEMPERATURE)
GAP_AT_LEAST_S = 60.0


class Span(StrEnum):
    """How far back a chart looks."""

    HOUR = "1h"
    DAY = "24h"
    FOUR_DAYS = "4d"

    @property
    def length(self) -> timedelta:
        """Give the time it covers."""
        return _SPANS[self][0]

    @property
    def step_s(self) -> int:
        """Give the width of one drawn point: about 800 of them."""
        return _SPANS[self][1]


_SPANS = {
    Span.HOUR: (timedelta(hours=1), 5),
    Span.DAY: (timedelta(hours=24), 120),
    Span.FOUR_DAYS: (timedelta(days=4), 480),
}


def span_for(age: timedelta) -> Span:
    """Choose the shortest span that shows how an episode of this age began; the longest for older ones."""
    return next((span for span in Span if age <= span.length * 0.9), Span.FOUR_DAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One signal over one step: the good values' range and mean, a number not to be trusted, a refusal."""

    signal: str
    bucket_s: float
    low: float | None
    mean: float | None
    high: float | None
    doubtful: float | None
    refused: bool
    continuous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One signal's columns, equally long; None breaks the line. `spot`: points that no line may join."""

    signal: Signal
    spot: bool
    x: list[float]
    low: list[float | None]
    mean: list[float | None]
    high: list[float | None]
    doubtful: list[float | None]


def lines(buckets: Iterable[Bucket], step_s: float) -> list[Line]:
    """Give one line a charted signal that has anything to show."""
    by_signal: dict[str, list[Bucket]] = {}
    for bucket in buckets:
        by_signal.setdefault(bucket.signal, []).append(bucket)
    return [_line(signal, by_signal[signal], step_s) for signal in CHARTED if signal in by_signal]


def _line(signal: Signal, buckets: Sequence[Bucket], step_s: float) -> Line:
    gap_s = max(GAP_AT_LEAST_S, 2 * step_s)
    line = Line(
        signal=signal,
        spot=not any(bucket.continuous for bucket in buckets),
        x=[],
        low=[],
        mean=[],
        high=[],
        doubtful=[],
    )
    for bucket in buckets:
        if line.x and bucket.bucket_s - line.x[-1] > gap_s:
            _append(line, line.x[-1] + step_s, None)
        _append(line, bucket.bucket_s, bucket)
    return line


def _append(line: Line, x: float, bucket: Bucket | None) -> None:
    line.x.append(x)
    line.low.append(bucket.low if bucket else None)
    line.mean.append(bucket.mean if bucket else None)
    line.high.append(bucket.high if bucket else None)
    line.doubtful.append(bucket.doubtful if bucket else None)
