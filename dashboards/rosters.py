"""The roster as the screens show it: whose one sees, its week in bands, what was said of it, what one may do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from care import duty
from care.duty_changes import COUNTY_WIDE, MAY_HOLD, STANDS_IN
from care.registry import DutyRole, PersonRole
from care.shifts import Change, Hole, Shift
from dashboards.database import Connection, rows
from dashboards.duty_picture import DAYS, Organisation, Sheet, sheet_of, week_of
from dashboards.scope import RosterScope
from dashboards.sessions import Viewer

ORGANISATIONS_MOST = 60
PEOPLE_MOST = 300
SWAP_AHEAD = timedelta(days=28)
WEEKS_MOST = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """A person who may be chosen in a form."""

    key: str
    name: str
    name_en: str
    role: str
    organisation_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A duty at an organisation, for a form."""

    organisation: Organisation
    duty_role: str

    @property
    def value(self) -> str:
        """Give it as a form sends it."""
        return f"{self.organisation.key}|{self.duty_role}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """What a visitor sees of some days. `left_out`: organisations that are too many to be drawn."""

    sheets: Sequence[Sheet]
    changes: Sequence[Change]
    holes: Sequence[Hole]
    left_out: int


def roster_of(connection: Connection, scope: RosterScope, *, now: datetime, weeks: int = 0) -> Roster:
    """Draw the seven days from today on, or so many weeks later, of all organisations in sight."""
    places = rows(connection, Organisation, "roster_places", organisations=scope.seen)
    spans = {place.organisation_id: week_of(now, place.time_zone, weeks) for place in places}
    begin = min((span.begin for span in spans.values()), default=now)
    end = max((span.end for span in spans.values()), default=now + timedelta(days=DAYS))
    shifts = duty.roster(connection, begin, end, scope.seen)
    holes = _placed(duty.roster_holes(connection, max(begin, now), end), scope)
    said = duty.changes(connection, begin, end, scope.seen)
    leave = [each for each in said if each.kind == "leave" and each.standing == "holds"]
    sheets = []
    for place in places:
        here = spans[place.organisation_id]
        sheet = sheet_of(
            place,
            here,
            shifts=[each for each in shifts if each.organisation_id == place.organisation_id],
            holes=[hole for where, hole in holes if where == place.organisation_id],
            leave=[each for each in leave if each.organisation_id == place.organisation_id],
            now=now,
        )
        if sheet is not None:
            sheets.append(sheet)
    return Roster(
        sheets=sheets[:ORGANISATIONS_MOST],
        changes=said,
        holes=[hole for _, hole in holes],
        left_out=max(0, len(sheets) - ORGANISATIONS_MOST),
    )


def _placed(holes: Sequence[Hole], scope: RosterScope) -> list[tuple[int, Hole]]:
    """Say on whose sheet each hole in sight is drawn: its roster's; where there never was one, the topmost in sight."""
    found = []
    for hole in holes:
        where = scope.top if hole.roster_of is None else hole.roster_of
        concerns = hole.organisation_id in scope.looked_after or hole.roster_of in scope.seen
        if where in scope.seen and concerns:
            found.append((where, hole))
    return found


def posts_of(sheets: Sequence[Sheet], viewer: Viewer, scope: RosterScope) -> list[Post]:
    """List the duties that the viewer may take over himself, or may give to others."""
    return [
        Post(organisation=sheet.organisation, duty_role=band.duty_role)
        for sheet in sheets
        for band in sheet.bands
        if band.duty_role in set(DutyRole)
        and (sheet.organisation.organisation_id in scope.kept or _may_take(sheet, band.duty_role, viewer, scope))
    ]


def _may_take(sheet: Sheet, duty_role: str, viewer: Viewer, scope: RosterScope) -> bool:
    role = PersonRole(viewer.role)
    reaches = sheet.organisation.organisation_id in scope.own or role in COUNTY_WIDE
    return reaches and role in MAY_HOLD[DutyRole(duty_role)]


def people_of(connection: Connection, scope: RosterScope) -> list[Somebody]:
    """List who may be put on some duty, or may stand in, of the people in sight."""
    roles = sorted(STANDS_IN.union(*MAY_HOLD.values()))
    return rows(connection, Somebody, "roster_people", roles=roles, organisations=scope.seen, most=PEOPLE_MOST)


def to_swap(connection: Connection, viewer: Viewer, *, now: datetime) -> tuple[list[Shift], list[Shift]]:
    """List the viewer's own shifts to come, and those of others in the same duties. One without an end is none."""
    end = now + SWAP_AHEAD
    ahead = [each for each in duty.roster(connection, now, end) if now < each.since and each.until < end]
    own = [each for each in ahead if each.person_id == viewer.person_id]
    duties = {(each.organisation_id, each.duty_role) for each in own}
    others = [
        each
        for each in ahead
        if each.person_id != viewer.person_id and (each.organisation_id, each.duty_role) in duties
    ]
    return own, others
