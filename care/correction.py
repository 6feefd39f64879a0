"""Correcting who wore a device: what may be said, and what becomes of the bindings (core; hazard 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

REASON_CHARACTERS_MAX = 500


class Wrong(StrEnum):
    """What stands in the way of a correction."""

    SAME = "same"
    REASON = "reason"
    EMPTY = "empty"
    FUTURE = "future"
    TOO_FAR_BACK = "too_far_back"
    NO_DEVICE = "no_device"
    NO_PATIENT = "no_patient"
    NOT_WORN = "not_worn"
    OVERLAPS = "overlaps"
    SHARED = "shared"
    DEAD = "dead"


class CorrectionRefused(ValueError):
    """A binding can not be corrected so; the message names the offending value and the way out."""

    def __init__(self, wrong: Wrong, message: str) -> None:
        super().__init__(message)
        self.wrong = wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A device was on `to` and not on `of` from `since` to `until`; None for a patient: on nobody of ours.

    `until` None: it still is; the binding goes on as the wrong one would have. Patients by their keys.
    """

    device: str
    of: str | None
    to: str | None
    since: datetime
    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A binding's time; None: without end."""

    since: datetime | None
    until: datetime | None


def check(said: Correction, *, kept_since: datetime | None, now: datetime) -> None:
    """Say whether a correction makes sense by itself; `kept_since`: before it what was measured is gone.

    Raises CorrectionRefused.
    """
    if said.of == said.to:
        raise CorrectionRefused(Wrong.SAME, f"{_who(said.of)} is both the wrong wearer and the right one")
    if not said.reason.strip() or len(said.reason) > REASON_CHARACTERS_MAX:
        size = f"1 to {REASON_CHARACTERS_MAX} characters; this has {len(said.reason.strip())}"
        raise CorrectionRefused(Wrong.REASON, f"say how it was noticed in {size}")
    latest = said.until or said.since
    if latest > now:
        way_out = "leave the end out where it still is so"
        raise CorrectionRefused(Wrong.FUTURE, f"{latest.isoformat()} is yet to come: {way_out}")
    if said.since >= (said.until or now):
        raise CorrectionRefused(
            Wrong.EMPTY, f"{said.since.isoformat()} to {(said.until or now).isoformat()} is no time"
        )
    if kept_since is not None and said.since < kept_since:
        raise CorrectionRefused(
            Wrong.TOO_FAR_BACK,
            f"{said.since.isoformat()} is before what is kept of single readings: begin at {kept_since.isoformat()}",
        )


def left_over(worn: Interval, said: Correction) -> Sequence[Interval]:
    """Give what stays of a wrong binding: before the time that is corrected, and behind it."""
    before = [Interval(since=worn.since, until=said.since)] if _begins_before(worn, said.since) else []
    end = said.until
    goes_on = end is not None and (worn.until is None or worn.until > end)
    return [*before, *([Interval(since=end, until=worn.until)] if goes_on else [])]


def corrected(worn: Interval, said: Correction) -> Interval:
    """Give what of a wrong binding is the right wearer's."""
    since = said.since if _begins_before(worn, said.since) else worn.since
    ends = [end for end in (worn.until, said.until) if end is not None]
    return Interval(since=since, until=min(ends, default=None))


def covers(worn: Sequence[Interval], said: Correction, *, now: datetime) -> bool:
    """Say whether these bindings, in order, hold for the whole of the time that is corrected."""
    reached = said.since
    for each in worn:
        if each.since is not None and each.since > reached:
            return False
        if each.until is None:
            return True
        reached = max(reached, each.until)
    return reached >= (said.until or now)


def _begins_before(worn: Interval, at: datetime) -> bool:
    return worn.since is None or worn.since < at


def _who(key: str | None) -> str:
    return "nobody" if key is None else repr(key)
