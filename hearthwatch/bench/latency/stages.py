"""From one raise's stamps to how long each part took; and what many of them come to.

All stamps are of one machine's clock, in clinical time, each by the part that it names. `sent`: the device, right
before its server notifies. `heard`: the gateway, as the notification arrives (the sample's own time). `published`: the
gateway, as it makes the message. `received`: ingest, as the broker delivers it. `stored`, `recorded`: the database's
record of two commits, of the readings and of the episode (taken before the commit's write to the disk). `told`: the
bench's ear at the broker, as ingest says that the readings are stored, which it does after that write. `taken_up`:
alerting, as it begins with the partition. `visible`: another session of the database, told by NOTIFY, when its SELECT
has the row.
"""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

Value = tuple[datetime, tuple[float, ...]]
"""When, and what: SpO2, pulse, perfusion index."""


class Stamp(StrEnum):
    """Who saw it last, in the order of the way."""

    SENT = "sent"
    HEARD = "heard"
    PUBLISHED = "published"
    RECEIVED = "received"
    STORED = "stored"
    TOLD = "told"
    TAKEN_UP = "taken_up"
    RECORDED = "recorded"
    VISIBLE = "visible"


STAGES = {
    "radio and bluetoothd": (Stamp.SENT, Stamp.HEARD),
    "gateway: to the disk and out": (Stamp.HEARD, Stamp.PUBLISHED),
    "broker": (Stamp.PUBLISHED, Stamp.RECEIVED),
    "ingest: collecting, transaction": (Stamp.RECEIVED, Stamp.STORED),
    "ingest: its commit reaches the disk": (Stamp.STORED, Stamp.TOLD),
    "NOTIFY, alerting comes to it": (Stamp.TOLD, Stamp.TAKEN_UP),
    "alerting: judging, transaction": (Stamp.TAKEN_UP, Stamp.RECORDED),
    "alerting: its commit, NOTIFY, SELECT": (Stamp.RECORDED, Stamp.VISIBLE),
}
"""Laid end to end they are the whole way. NOTIFY may be quicker than ingest's word: then that stage is below zero."""

CAUSES = (
    *itertools.pairwise((Stamp.SENT, Stamp.HEARD, Stamp.PUBLISHED, Stamp.RECEIVED, Stamp.STORED, Stamp.TOLD)),
    (Stamp.STORED, Stamp.RECORDED),
    *itertools.pairwise((Stamp.TAKEN_UP, Stamp.RECORDED, Stamp.VISIBLE)),
)
"""Alerting can begin with a partition and then find a batch that came a moment later: no stamp causes `taken_up`."""

ROUNDING = timedelta(milliseconds=2)
"""What two stamps may contradict each other by: some are cut to a millisecond, others rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """One episode, and its way; a stamp that could not be found is missing."""

    patient: str
    rule: str
    stamps: Mapping[Stamp, datetime]

    @property
    def is_complete(self) -> bool:
        """Whether every part's stamp was found."""
        return all(stamp in self.stamps for stamp in Stamp)

    @property
    def is_in_order(self) -> bool:
        """Whether nobody saw it before the one before him, as far as stamps are exact."""
        known = self.stamps
        return all(
            known[effect] >= known[cause] - ROUNDING for cause, effect in CAUSES if cause in known and effect in known
        )

    def took_ms(self, begin: Stamp, end: Stamp) -> float | None:
        """Give the time between two stamps; None where one is missing."""
        if begin not in self.stamps or end not in self.stamps:
            return None
        return (self.stamps[end] - self.stamps[begin]) / timedelta(milliseconds=1)


def deciding(sent: Sequence[Value], stored: Sequence[Value], at: datetime) -> int:
    """Say which of a device's notifications became the sample of an instant.

    What is stored is what was sent, in its order, but for what got lost (equal bytes at once are an echo to a gateway).
    So the samples up to this one say which notification it is at the earliest, and those from it on at the latest.
    Raises ValueError where the two differ, or something is stored that was not sent: then nobody knows.
    """
    place = [measured_at for measured_at, _ in stored].index(at)
    earliest = -1
    for sample in stored[: place + 1]:
        earliest = _found(sent, sample, range(earliest + 1, len(sent)))
    latest = len(sent)
    for sample in reversed(stored[place:]):
        latest = _found(sent, sample, range(latest - 1, -1, -1))
    if earliest != latest:
        raise ValueError(f"the sample of {at.isoformat()} may be any of notifications {earliest} to {latest}")
    return earliest


def _found(sent: Sequence[Value], sample: Value, places: Iterable[int]) -> int:
    heard_at, value = sample
    for place in places:
        if sent[place][1] == value and sent[place][0] <= heard_at + ROUNDING:
            return place
    raise ValueError(f"the sample of {heard_at.isoformat()}, {value}, was not sent")


def figures(values: Sequence[float | None]) -> dict[str, float] | None:
    """Give p50, p99 and the largest, by nearest rank, of what is known; None of nothing."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    ranks = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: round(known[math.ceil(share * len(known)) - 1], 1) for name, share in ranks.items()}
