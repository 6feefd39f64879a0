"""Whose patients may one see: the one place where that is decided (hazard 32).

Every query over patients takes the organisations this function gave, for a person as for a wall display.
"""

from dataclasses import dataclass
from typing import NewType

from dashboards.database import Connection, records

Scope = NewType("Scope", list[int])
"""The organisations whose patients may be seen."""

COUNTY_WIDE = frozenset({"county_expert", "operations"})
"""Roles that see the whole county, wherever in it they are employed."""

REFERRALS_ONLY = frozenset({"referral_desk", "dispatcher", "authority"})
"""Roles that see referrals, and no patient of theirs otherwise."""

HELPS_ONLY = frozenset({"helper"})
"""Roles that see the tasks they are to do, and no patient otherwise."""

SEES_REFUSALS = frozenset({"authority", "county_expert", "coordinator", "admin"})
"""Roles that see which hospitals did not take whom."""

MAY_CLAIM = frozenset({"nurse", "technician", "family_doctor", "admin"})
"""Roles that say which gateway reads which device, and who wears it."""

MAY_KEEP = frozenset({"coordinator", "admin", "family_doctor"})
"""Roles that keep the patients in their scope: status, contacts, consent, colours looked at."""

MAY_LEND = frozenset({"technician", "admin"})
"""Roles that lend kits and take them back."""

MAY_CORRECT = frozenset({"technician", "coordinator", "admin"})
"""Roles that correct who wore a device, and close the alarms that came of it."""

KEEPS_ROSTER = frozenset({"coordinator", "admin"})
"""Roles that put others on duty and note others' leave, in their own organisation and below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Onlooker:
    """Someone, or a display, that looks: where it belongs and in which role (None for a display)."""

    organisation_id: int
    role: str | None = None

    @property
    def may_claim(self) -> bool:
        """Whether devices may be claimed and released."""
        return self.role in MAY_CLAIM

    @property
    def may_keep(self) -> bool:
        """Whether patients may be kept."""
        return self.role in MAY_KEEP

    @property
    def may_lend(self) -> bool:
        """Whether kits may be lent and taken back."""
        return self.role in MAY_LEND

    @property
    def may_correct(self) -> bool:
        """Whether it may be said that somebody else wore a device."""
        return self.role in MAY_CORRECT


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralScope:
    """Whose referrals may be seen: of patients in sight, asked of one's own hospitals, of those whom one serves."""

    patients: Scope
    facilities: Scope
    serves: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScope:
    """Whose tasks may be seen: of patients in sight, one's own, those of one's organisation for whoever takes them."""

    patients: Scope
    person_id: int
    organisation_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterScope:
    """Whose roster is seen (also of those above, who are asked next), and whose one may change for others.

    `looked_after`: whose patients one looks after; `own`: one's organisation and those below; `top`: the topmost.
    """

    seen: Scope
    looked_after: Scope
    own: Scope
    kept: Scope
    top: int


def scope_of(connection: Connection, onlooker: Onlooker) -> Scope:
    """Give the organisations in sight: one's own and all below; the county's for those who serve the county."""
    if onlooker.role in REFERRALS_ONLY | HELPS_ONLY:
        return Scope([])
    top = onlooker.organisation_id
    if onlooker.role in COUNTY_WIDE:
        top = records(connection, "county_of", organisation_id=top)[0]["ancestor_id"]
    return _below(connection, top)


def referral_scope_of(connection: Connection, onlooker: Onlooker) -> ReferralScope:
    """Give whose referrals may be seen."""
    own = Scope([]) if onlooker.role in HELPS_ONLY else _below(connection, onlooker.organisation_id)
    serves = own if onlooker.role in REFERRALS_ONLY - {"referral_desk"} else Scope([])
    return ReferralScope(patients=scope_of(connection, onlooker), facilities=own, serves=serves)


def roster_scope_of(connection: Connection, onlooker: Onlooker) -> RosterScope:
    """Give whose roster may be seen and changed."""
    own, looked_after = _below(connection, onlooker.organisation_id), scope_of(connection, onlooker)
    above = [row["ancestor_id"] for row in records(connection, "above", organisation_id=onlooker.organisation_id)]
    return RosterScope(
        seen=Scope(sorted({*own, *looked_after, *above})),
        looked_after=looked_after,
        own=own,
        kept=own if onlooker.role in KEEPS_ROSTER else Scope([]),
        top=above[0],
    )


def _below(connection: Connection, top: int) -> Scope:
    return Scope([row["organisation_id"] for row in records(connection, "subtree", organisation_id=top)])
