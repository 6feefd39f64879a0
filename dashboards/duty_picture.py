"""A week's roster as bands, one for each duty of an organisation: who, when, and the holes (core).

Places along a band are per cent of the week, so that a day on which clocks change is as long as it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from alerting.zones import zone_of
from care.shifts import Change, Hole, Shift

DAYS = 7
LANE = 34
"""Height of one person's stripe; two who are on duty at once lie one below the other."""

AWAY = "away"
NOBODY = "hole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """Whose roster it is."""

    organisation_id: int
    key: str
    name: str
    name_en: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripe:
    """A stretch of a band; `kind`: roster, override, swap, hole, away. `x`, `width` in per cent, `y` in pixels."""

    kind: str
    name: str
    name_en: str
    since: datetime
    until: datetime
    x: float
    width: float
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One duty of an organisation (`away`: who is on leave); its height in pixels."""

    duty_role: str
    stripes: Sequence[Stripe]
    height: int

    @property
    def holes(self) -> list[Stripe]:
        """Give the times in which nobody is on duty."""
        return [stripe for stripe in self.stripes if stripe.kind == NOBODY]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """An organisation's week: where its local days begin, where now lies (None: not in it), its bands."""

    organisation: Organisation
    days: Sequence[tuple[float, date]]
    now_x: float | None
    bands: Sequence[Band]


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """The time shown: from a local midnight, seven local days long; half-open, in UTC (local times do not subtract)."""

    begin: datetime
    end: datetime
    zone: tzinfo

    def x(self, at: datetime) -> float:
        """Give an instant's place in per cent, at most the ends."""
        share = (at - self.begin) / (self.end - self.begin)
        return round(100 * min(max(share, 0.0), 1.0), 3)


def week_of(now: datetime, zone: str, weeks: int = 0) -> Week:
    """Give the seven local days from today on, or so many weeks later."""
    there = zone_of(zone)
    first = now.astimezone(there).date() + timedelta(days=DAYS * weeks)
    return Week(begin=_midnight(first, there), end=_midnight(first + timedelta(days=DAYS), there), zone=there)


def sheet_of(
    organisation: Organisation,
    week: Week,
    *,
    shifts: Iterable[Shift],
    holes: Iterable[Hole],
    leave: Iterable[Change],
    now: datetime,
) -> Sheet | None:
    """Draw an organisation's week; None where there is nothing to draw. `holes` are those of its own roster."""
    by_duty: dict[str, list[Stripe]] = {}
    for shift in shifts:
        by_duty.setdefault(shift.duty_role, []).append(_stripe(week, shift, kind=shift.kind))
    for role, since, until in _joined(holes):
        by_duty.setdefault(role, []).append(_between(week, since, until, kind=NOBODY))
    bands = [_band(role, by_duty[role]) for role in sorted(by_duty)]
    if away := [_stripe(week, each, kind=AWAY) for each in leave]:
        bands.append(_band(AWAY, away))
    if not bands:
        return None
    first = week.begin.astimezone(week.zone).date()
    days = [first + timedelta(days=number) for number in range(DAYS)]
    return Sheet(
        organisation=organisation,
        days=[(week.x(_midnight(day, week.zone)), day) for day in days],
        now_x=week.x(now) if week.begin <= now < week.end else None,
        bands=bands,
    )


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _stripe(week: Week, what: Shift | Change, *, kind: str) -> Stripe:
    return replace(_between(week, what.since, what.until, kind=kind), name=what.name, name_en=what.name_en)


def _between(week: Week, since: datetime, until: datetime, *, kind: str) -> Stripe:
    x = week.x(since)
    width = round(week.x(until) - x, 3)
    return Stripe(kind=kind, name="", name_en="", since=since, until=until, x=x, width=width, y=0)


def _joined(holes: Iterable[Hole]) -> Iterator[tuple[str, datetime, datetime]]:
    """Put holes of several places below one roster together, where they touch."""
    open_: dict[str, tuple[datetime, datetime]] = {}
    for hole in sorted(holes, key=lambda each: (each.duty_role, each.since)):
        before = open_.get(hole.duty_role)
        if before is not None and hole.since <= before[1]:
            open_[hole.duty_role] = (before[0], max(before[1], hole.until))
            continue
        if before is not None:
            yield hole.duty_role, *before
        open_[hole.duty_role] = (hole.since, hole.until)
    for role, span in open_.items():
        yield role, *span


def _band(role: str, stripes: Sequence[Stripe]) -> Band:
    """Lay stripes into lanes, each into the first that is free."""
    free: list[datetime] = []
    laid = []
    for stripe in sorted(stripes, key=lambda each: (each.since, each.name)):
        lane = next((number for number, until in enumerate(free) if until <= stripe.since), len(free))
        free[lane : lane + 1] = [stripe.until]
        laid.append(replace(stripe, y=lane * LANE))
    return Band(duty_role=role, stripes=laid, height=len(free) * LANE)
