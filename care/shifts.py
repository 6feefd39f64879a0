"""The roster as values: who is on duty when, when nobody is, and what people said over the file's roster."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A time in which nobody holds a duty for the patients of an organisation.

    `roster_of`: whose roster has the hole, the nearest at or above; None: nobody ever was on this duty for them.
    """

    organisation_id: int
    organisation: str
    duty_role: str
    since: datetime
    until: datetime
    time_zone: str
    roster_of: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Who holds which duty from when to when, as far as it lies in the time asked for.

    `kind`: roster (the file says so), override or swap (the change `change_id` does).
    """

    organisation_id: int
    organisation: str
    time_zone: str
    duty_role: str
    person_id: int
    person: str
    name: str
    name_en: str
    since: datetime
    until: datetime
    kind: str
    change_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What somebody said of the roster: whoever is named by key and name, times in UTC.

    Of leave the organisation is where the person is employed. A swap is two of these with one `swap_id`; it waits while
    `accepted_at` is None.
    """

    change_id: int
    kind: str
    swap_id: int | None
    organisation_id: int
    organisation: str
    time_zone: str
    duty_role: str | None
    person_id: int
    person: str
    name: str
    name_en: str
    in_place_of_id: int | None
    in_place_of: str | None
    in_place_of_name: str | None
    in_place_of_name_en: str | None
    substitute: str | None
    substitute_name: str | None
    substitute_name_en: str | None
    since: datetime
    until: datetime
    reason: str
    said_by_id: int
    said_by: str
    said_by_name: str
    said_by_name_en: str
    said_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None
    revoked_by_name: str | None
    revoked_by_name_en: str | None

    @property
    def standing(self) -> str:
        """Give how it stands: revoked, waiting for the other's word, or holding."""
        return "revoked" if self.revoked_at else "holds" if self.accepted_at else "waiting"
