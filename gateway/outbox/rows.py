"""Rows of the outbox, and ranges of row numbers: what outbox, packing and courier speak about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from gateway.clocks.placing import Stamped
from vitals.quality import Quality, Reason
from vitals.reading import Acquisition, Reading
from vitals.signals import SIGNAL_BY_CODE

ROW_END = 2**63 - 1
"""The end of an open range: no row number reaches it."""

Row = tuple[int, int, int, int, int, int | None, int, int, int]
"""One reading as it lies in the outbox, plain because a week's backlog has millions: (row number, source, wall ms,
mono ms, signal code, value, quality, reason, 1). Mono is the machine's boot-time clock; the value is in the signal's
scale, None for none; the last says that the row is as it was accepted."""

_QUALITIES = frozenset(map(int, Quality))
_REASONS = frozenset(map(int, Reason))
_ACQUISITIONS = frozenset(map(int, Acquisition))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What many rows have in common: who measured and how, in which boot, and whether the clock was to be believed."""

    device: str
    acquisition: int
    boot_id: int
    synchronised: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """Rows of one outbox, oldest first, and their sources by key."""

    outbox_id: UUID
    rows: Sequence[Row]
    sources: Mapping[int, Source]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of a device's memory: its bytes as the device sent them, and the readings in it.

    A device gives its whole memory at every link: bytes that the outbox has accepted before from this device are
    passed over. So only what carries the device's own time may be a record.
    """

    device: str
    payload: bytes
    rows: tuple[Stamped, ...]


def unreadable(excerpt: Excerpt) -> list[Row]:
    """Give the rows of a signal, quality, reason or acquisition that this version does not know."""
    strange = {key for key, source in excerpt.sources.items() if source.acquisition not in _ACQUISITIONS}
    return [
        row
        for row in excerpt.rows
        if (row[4] not in SIGNAL_BY_CODE or row[6] not in _QUALITIES or row[7] not in _REASONS or row[1] in strange)
    ]


def stamped(excerpt: Excerpt) -> list[Stamped]:
    """Give rows back as the readings they were."""
    return [
        Stamped(
            reading=Reading(
                device=source.device,
                signal=SIGNAL_BY_CODE[signal],
                measured_at=datetime.fromtimestamp(wall_ms / 1000, UTC),
                value=value,
                quality=Quality(quality),
                reason=Reason(reason),
                acquisition=Acquisition(source.acquisition),
            ),
            mono_ms=mono_ms,
            boot_id=source.boot_id,
            synchronised=source.synchronised,
        )
        for _, key, wall_ms, mono_ms, signal, value, quality, reason, _ in excerpt.rows
        for source in (excerpt.sources[key],)
    ]


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
