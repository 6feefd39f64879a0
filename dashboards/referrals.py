"""Referrals as the screens show them: whose, why, to whom, how far, and each step's instant."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from dashboards.database import Connection, rows
from dashboards.scope import ReferralScope

ENDED_SHOWN = timedelta(hours=24)
"""So long a referral that has ended is still listed."""

REFUSALS_SHOWN = timedelta(days=30)
MOST = 200
STEPS = ("opened", "accepted", "departed", "arrived", "admitted", "discharged", "returned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """One referral. `in_scope`: its patient is among those one looks after; else one's hospital is asked."""

    referral_id: int
    episode_id: int
    patient_key: str
    patient_name: str
    initials: str
    bed: str
    born_on: date
    sex: str
    risk_colour: str
    household_phone: str
    organisation_name: str
    organisation_name_en: str
    time_zone: str
    in_scope: bool
    rule: str
    priority: str
    emergency: bool
    picture: dict[str, Any]
    clause: str
    destination: str
    ward: str
    vehicle: str
    needs: list[str]
    stage: str
    facility_id: int | None
    facility_name: str | None
    facility_name_en: str | None
    duty_phone: str | None
    candidates: list[int]
    chases: int
    due_at: datetime | None
    note: str
    opened_at: datetime
    accepted_at: datetime | None
    departed_at: datetime | None
    arrived_at: datetime | None
    admitted_at: datetime | None
    discharged_at: datetime | None
    returned_at: datetime | None
    ended_at: datetime | None
    ended_as: str | None

    @property
    def is_named(self) -> bool:
        """Say whether the patient's name is shown: to who looks after him, and to who has taken or will have him."""
        return self.in_scope or any((self.accepted_at, self.departed_at, self.arrived_at))

    @property
    def urgency(self) -> str:
        """Give the alarm priority as shown."""
        return "emergency" if self.priority == "high" and self.emergency else self.priority

    @property
    def way(self) -> list[tuple[str, datetime | None]]:
        """Give each step's name and instant, in order."""
        return [(step, getattr(self, f"{step}_at")) for step in STEPS]

    @property
    def green_channel(self) -> timedelta | None:
        """Give how long the patient waited in the hospital from arriving to being admitted or sent home."""
        end = self.admitted_at or self.discharged_at
        return end - self.arrived_at if end and self.arrived_at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One line of a referral's history."""

    referral_id: int
    at: datetime
    kind: str
    to_stage: str
    refusal: str | None
    note: str
    actor_name: str | None
    actor_name_en: str | None
    facility_name: str | None
    facility_name_en: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hospital:
    """A hospital that can be asked."""

    facility_id: int
    name: str
    name_en: str
    facility_role: str
    capabilities: list[str]
    free_beds: int | None
    duty_phone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A hospital that did not take somebody, and why."""

    at: datetime
    refusal: str
    note: str
    clause: str
    facility_name: str | None
    facility_name_en: str | None
    initials: str
    bed: str
    time_zone: str


def under_way(connection: Connection, scope: ReferralScope, now: datetime) -> list[Referral]:
    """List those that concern somebody with this scope, those whose clock runs out first; at most `MOST`."""
    return _read(connection, scope, ended_since=now - ENDED_SHOWN, referral_id=None, most=MOST)


def one(connection: Connection, scope: ReferralScope, referral_id: int) -> Referral | None:
    """Give one referral that concerns somebody with this scope, ended or not."""
    found = _read(connection, scope, ended_since=None, referral_id=referral_id, most=1)
    return found[0] if found else None


def refusals(connection: Connection, scope: ReferralScope, now: datetime) -> list[Refused]:
    """List the refusals of a month, newest first."""
    since = now - REFUSALS_SHOWN
    return rows(connection, Refused, "refusals", patients=scope.patients, serves=scope.serves, since=since, most=MOST)


def _read(connection: Connection, scope: ReferralScope, **which: object) -> list[Referral]:
    among = {"patients": scope.patients, "facilities": scope.facilities, "serves": scope.serves}
    return [_for_eyes(each) for each in rows(connection, Referral, "referrals", **among, **which)]


def _for_eyes(referral: Referral) -> Referral:
    """Leave out who it is, for those who need not know yet: a hospital that is asked decides by age and illness."""
    if referral.is_named:
        return referral
    born_on = referral.born_on.replace(day=1)
    return replace(referral, patient_name=referral.initials, patient_key="", household_phone="", born_on=born_on)


def history(connection: Connection, referral_ids: Sequence[int]) -> dict[int, list[Said]]:
    """Give what was said of each of these referrals, in order."""
    found: dict[int, list[Said]] = {referral_id: [] for referral_id in referral_ids}
    for said in rows(connection, Said, "referral_history", referral_ids=list(referral_ids)):
        found[said.referral_id].append(said)
    return found


def hospitals(connection: Connection) -> list[Hospital]:
    """List every hospital that can be asked."""
    return rows(connection, Hospital, "hospitals")
