"""One outbox row, and ranges of row numbers: what outbox, packing and courier speak about."""

from collections.abc import Iterable
from dataclasses import dataclass

from vitals.quality import Quality, Reason
from vitals.reading import Acquisition
from vitals.signals import Signal

ROW_END = 2**63 - 1
"""The end of an open range: no row number reaches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One reading as it lies in the outbox; times in ms: clinical Unix time, and the machine's monotonic."""

    row_no: int
    device: str
    acquisition: Acquisition
    signal: Signal
    wall_ms: int
    mono_ms: int
    boot_id: int
    synchronised: bool
    value: int | None
    quality: Quality
    reason: Reason


@dataclass(frozen=True, slots=True, order=True)
class RowRange:
    """Row numbers from `first` up to but not including `end`."""

    first: int
    end: int

    def __post_init__(self) -> None:
        if not self.first < self.end:
            raise ValueError(f"rows [{self.first}, {self.end}) are no range")

    def without(self, other: "RowRange") -> "list[RowRange]":
        """Give what is left of this range when another's rows are taken out: none, one or two ranges."""
        low = (self.first, min(self.end, other.first))
        high = (max(self.first, other.end), self.end)
        return [RowRange(a, b) for a, b in (low, high) if a < b]


def merged(ranges: Iterable[RowRange]) -> list[RowRange]:
    """Sort ranges and join those that touch or overlap."""
    result: list[RowRange] = []
    for current in sorted(ranges):
        if result and current.first <= result[-1].end:
            result[-1] = RowRange(result[-1].first, max(result[-1].end, current.end))
        else:
            result.append(current)
    return result


def without_all(ranges: Iterable[RowRange], others: Iterable[RowRange]) -> list[RowRange]:
    """Take the rows of `others` out of `ranges`."""
    left = list(ranges)
    for other in others:
        left = [part for current in left for part in current.without(other)]
    return left
