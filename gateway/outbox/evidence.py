"""Which rows are evidence of an episode: all of a device within ten minutes before and after a low reading.

Low is beyond the local floor, whatever the quality: a low value of bad quality may be the truth badly measured.
Times are those the readings were stamped with; where a clock is corrected in the middle of those ten minutes, what
came behind the jump counts as ordinary until the next low reading.
"""

from collections.abc import Iterable
from dataclasses import dataclass

AROUND_MS = 600_000
SLACK_MS = 120_000
"""A span is written this much longer than needed, so that a patient who stays low costs a write in two minutes."""

SPANS_MAX = 1_000
"""Spans remembered; at the bound the oldest is forgotten, and its rows count as ordinary."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A device's rows from `first_ms` up to but not including `end_ms`, by the wall clock, are evidence."""

    device: str
    first_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What to write: spans that go, and the one that takes their place."""

    gone: tuple[Span, ...]
    new: Span


class Evidence:
    """The spans of one outbox file."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans = sorted(spans, key=lambda span: span.end_ms)

    @property
    def spans(self) -> tuple[Span, ...]:
        """All spans, those that end first first."""
        return tuple(self._spans)

    def low(self, device: str, at_ms: int) -> Change | None:
        """Take note of a low reading; None where a span covers its surroundings already."""
        wanted = Span(device, at_ms - AROUND_MS, at_ms + AROUND_MS + 1)
        touching = [s for s in self._spans if s.device == device and s.first_ms <= wanted.end_ms + SLACK_MS]
        touching = [s for s in touching if s.end_ms >= wanted.first_ms]
        if any(s.first_ms <= wanted.first_ms and s.end_ms >= wanted.end_ms for s in touching):
            return None
        new = Span(
            device,
            min([wanted.first_ms, *(s.first_ms for s in touching)]),
            max([wanted.end_ms + SLACK_MS, *(s.end_ms for s in touching)]),
        )
        left = [s for s in self._spans if s not in touching]
        forgotten = left[: max(0, len(left) + 1 - SPANS_MAX)]
        self._spans = sorted([*left[len(forgotten) :], new], key=lambda span: span.end_ms)
        return Change(gone=(*touching, *forgotten), new=new)

    def past(self, before_ms: int) -> list[Span]:
        """Take out the spans that ended before a time, and give them."""
        gone = [s for s in self._spans if s.end_ms < before_ms]
        self._spans = self._spans[len(gone) :]
        return gone
