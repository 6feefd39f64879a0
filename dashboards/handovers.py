"""What whoever comes on duty finds: what is open there, who has taken it on, and what was written to him."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from care import duty
from care.handover import Note, notes
from dashboards.database import Connection, rows
from dashboards.scope import RosterScope
from dashboards.sessions import Viewer

AHEAD = timedelta(hours=12)
"""So long before his shift begins somebody sees what he will find."""

OPEN_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An open episode: a patient's (initials and bed), or what else it is about; `taken_by_name` None: nobody's."""

    episode_id: int
    patient_id: int | None
    rule: str
    priority: str
    emergency: bool
    state: str
    due_at: datetime | None
    whose: str
    whose_en: str
    bed: str
    taken_by_name: str | None
    taken_by_name_en: str | None

    @property
    def urgency(self) -> str:
        """Give the alarm priority as shown."""
        return "emergency" if self.priority == "high" and self.emergency else self.priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """A duty that the viewer holds (`holds`), or takes on at `since`."""

    organisation: str
    time_zone: str
    duty_role: str
    holds: bool
    since: datetime
    open: Sequence[Open]
    notes: Sequence[Note]


def handovers(connection: Connection, viewer: Viewer, scope: RosterScope, *, now: datetime) -> list[Handover]:
    """Give what the viewer has to hand over or to take on, a duty each, what he holds first."""
    ahead = duty.roster(connection, now, now + AHEAD)
    first: dict[tuple[int, str], Handover] = {}
    for shift in sorted((each for each in ahead if each.person_id == viewer.person_id), key=lambda each: each.since):
        post = (shift.organisation_id, shift.duty_role)
        if post in first:
            continue
        found = rows(
            connection,
            Open,
            "handover_open",
            organisation_id=shift.organisation_id,
            organisations=scope.looked_after,
            most=OPEN_MOST,
        )
        first[post] = Handover(
            organisation=shift.organisation,
            time_zone=shift.time_zone,
            duty_role=shift.duty_role,
            holds=shift.since <= now,
            since=shift.since,
            open=found,
            notes=notes(connection, *post, now),
        )
    return list(first.values())
