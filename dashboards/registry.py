"""The registry as the screens show it: patients and how they stand, whom to ask, kits, shared devices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from care.registry import RiskColour
from care.tier import tier_by_table
from dashboards.bindings import CorrectionShown, corrections_about
from dashboards.database import Connection, records, rows
from dashboards.scope import Scope

MOST = 200
HISTORY_MOST = 50
OWED_BY = frozenset({"discharged", "dead"})
"""A kit lent to somebody who stands so is to be fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One patient. `since` None: nobody has ever said how he stands; `review`: why to look at the colour, or None."""

    patient_id: int
    key: str
    name: str
    initials: str
    bed: str
    born_on: date
    sex: str
    risk_colour: str
    service_tier: int
    special_groups: list[str]
    household_phone: str
    organisation_name: str
    organisation_name_en: str
    time_zone: str
    family_doctor_name: str
    family_doctor_name_en: str
    status: str
    since: datetime | None
    until: datetime | None
    place: str
    reason: str
    assessment_id: int | None
    review: str | None
    devices: list[str]
    withdrawn: bool
    kit_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToUnbind:
    """A device worn by somebody who has withdrawn, or is discharged: a person has to unbind it."""

    key: str
    name: str
    bed: str
    status: str
    device_key: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactShown:
    """Somebody to ask. `is_told`: alarms are told to him (care_household)."""

    name: str
    relation: str
    phone: str
    channels: list[str]
    may_be_told: bool
    lives_with: bool
    is_told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentShown:
    """What holds for a purpose."""

    purpose: str
    version: str
    given: bool
    given_by: str
    guardian: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody in a team; a helper has no name but the text."""

    team_name: str
    member_role: str
    name: str | None
    name_en: str | None
    helper: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stood:
    """One line of how a patient stood."""

    status: str
    at: datetime
    until: datetime | None
    place: str
    reason: str
    person_name: str
    person_name_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Worn:
    """A device, from when to when; None: without end."""

    device_key: str
    kind: str
    valid_from: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KitShown:
    """A kit: with whom, or how it came back last."""

    kit_key: str
    organisation_name: str
    organisation_name_en: str
    time_zone: str
    gateway_id: str | None
    devices: list[str]
    lent_at: datetime | None
    patient_key: str | None
    patient_name: str | None
    bed: str | None
    status: str | None
    returned_at: datetime | None
    state: str | None
    missing: str | None

    @property
    def overdue(self) -> bool:
        """Whether it is to be fetched."""
        return self.status in OWED_BY


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedDevice:
    """A shared device, and who has been chosen until when."""

    device_key: str
    kind: str
    organisation_id: int
    place: str
    time_zone: str
    patient_key: str | None
    patient_name: str | None
    bed: str | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """Somebody who may measure with it."""

    key: str
    name: str
    initials: str
    bed: str
    risk_colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All of one patient."""

    entry: Entry
    open_alarms: int
    tier_by_table: int
    contacts: Sequence[ContactShown]
    consents: Sequence[ConsentShown]
    team: Sequence[Member]
    history: Sequence[Stood]
    worn: Sequence[Worn]
    corrections: Sequence[CorrectionShown]


def found(
    connection: Connection, scope: Scope, now: datetime, *, wanted: str = "", to_review: bool = False
) -> list[Entry]:
    """List patients in scope by name, initials, bed or key, at most `MOST`; those whose colour to look at first."""
    which = {"wanted": wanted, "to_review": to_review, "key": None}
    return rows(connection, Entry, "registry_patients", organisations=scope, now=now, most=MOST, **which)


def card_of(connection: Connection, scope: Scope, now: datetime, key: str) -> Card | None:
    """Give all of a patient in scope."""
    which = {"wanted": "", "to_review": False, "key": key}
    entries = rows(connection, Entry, "registry_patients", organisations=scope, now=now, most=1, **which)
    if not entries:
        return None
    who = {"patient_id": entries[0].patient_id}
    alarms = records(connection, "open_alarms", **who)[0]
    return Card(
        entry=entries[0],
        open_alarms=alarms["open_alarms"],
        tier_by_table=int(tier_by_table(RiskColour(entries[0].risk_colour), case_open=alarms["case_open"])),
        contacts=rows(connection, ContactShown, "contacts", **who),
        consents=rows(connection, ConsentShown, "consents", **who),
        team=rows(connection, Member, "team_of", **who),
        history=rows(connection, Stood, "status_history", **who, most=HISTORY_MOST),
        worn=rows(connection, Worn, "worn_devices", **who, most=HISTORY_MOST),
        corrections=corrections_about(connection, scope, entries[0].patient_id),
    )


def to_unbind(connection: Connection, scope: Scope, now: datetime) -> list[ToUnbind]:
    """List what a person has to unbind."""
    return rows(connection, ToUnbind, "to_unbind", organisations=scope, now=now, most=MOST)


def kits(connection: Connection, scope: Scope) -> list[KitShown]:
    """List the kits in scope, those to be fetched first."""
    return rows(connection, KitShown, "kits", organisations=scope, most=MOST)


def shared_devices(connection: Connection, scope: Scope, now: datetime) -> list[SharedDevice]:
    """List the shared devices that gateways in scope read."""
    return rows(connection, SharedDevice, "shared_devices", organisations=scope, now=now, most=MOST)


def residents(connection: Connection, scope: Scope, device: SharedDevice) -> list[Resident]:
    """List who may measure with a shared device."""
    return rows(
        connection, Resident, "residents", organisations=scope, organisation_id=device.organisation_id, most=MOST
    )
