"""Whether something known explains that a device is silent, and how its own alarm then stands.

A device is heard through its gateways. It is explained while every gateway that reads it is known to be cut off (gone
or silent, its Bluetooth in trouble, or the whole centre deaf), and if it was heard until about then: silent for its own
limit before, it has a cause of its own. Devices of which no gateway is known are explained by nothing.

An explained silence has no alarm of its own, but that of a patient who is watched (service tier 3, or an open
physiological alarm) becomes medium all the same. When the cause has ended a device has its whole limit again from then,
since its gateway must find it first and N alarms help nobody meanwhile; the priority goes by its whole silence.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerting.profile.profile import Priority, Silence


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A gateway is cut off: since when, by which alarm's family and subject, or was, until when (`ended_at`)."""

    since: datetime
    family: str
    subject: str
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a silent device: an alarm of this priority (None: none), counted from then.

    `explained_by` is what its silence is entered under.
    """

    priority: Priority | None
    counted_from: datetime
    explained_by: Cut | None = None


def verdict(
    silent_since: datetime,
    *,
    watched: bool,
    gateways: Collection[str],
    cuts: Mapping[str, Sequence[Cut]],
    limits: Silence,
    now: datetime,
) -> Verdict:
    """Judge a device that has been silent for its low limit at least; `cuts` are by gateway."""
    explained_by = _explanation(silent_since, gateways, cuts, limits)
    counted_from = silent_since if explained_by else _counted_from(silent_since, gateways, cuts, limits)
    silent_s = (now - silent_since).total_seconds()
    medium = silent_s >= (limits.medium_after_watched_s if watched else limits.medium_after_s)
    if explained_by is not None:
        stands = watched and medium
        return Verdict(
            priority=Priority.MEDIUM if stands else None, counted_from=silent_since, explained_by=explained_by
        )
    if (now - counted_from).total_seconds() < limits.low_after_s and not (watched and medium):
        return Verdict(priority=None, counted_from=counted_from)
    return Verdict(priority=Priority.MEDIUM if medium else Priority.LOW, counted_from=counted_from)


def _explanation(
    silent_since: datetime, gateways: Collection[str], cuts: Mapping[str, Sequence[Cut]], limits: Silence
) -> Cut | None:
    """Give the cut that took the last gateway away; None unless every one is cut off, and about when it fell silent."""
    present = [_first(cut for cut in cuts.get(gateway, ()) if cut.ended_at is None) for gateway in gateways]
    if not present or None in present:
        return None
    last = max((cut for cut in present if cut is not None), key=lambda cut: cut.since)
    return last if silent_since >= last.since - timedelta(seconds=limits.low_after_s) else None


def _counted_from(
    silent_since: datetime, gateways: Collection[str], cuts: Mapping[str, Sequence[Cut]], limits: Silence
) -> datetime:
    """Give from when the silence counts: from when the first gateway could hear again, if its cut explained it."""
    back = [
        max((at for cut in cuts.get(gateway, ()) if (at := _until(cut, silent_since, limits))), default=None)
        for gateway in gateways
    ]
    if not back or None in back:
        return silent_since
    return max(silent_since, min(at for at in back if at is not None))


def _until(cut: Cut, silent_since: datetime, limits: Silence) -> datetime | None:
    """Give until when a cut that is over explained this silence, if it did."""
    if cut.ended_at is None or silent_since >= cut.ended_at:
        return None
    return cut.ended_at if silent_since >= cut.since - timedelta(seconds=limits.low_after_s) else None


def _first(cuts: Iterable[Cut]) -> Cut | None:
    return min(cuts, key=lambda cut: cut.since, default=None)
