"""Silences as the screens show them: of what, until when, by whom and why, and which episodes they hold back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboards.database import Connection, records, rows
from dashboards.scope import Scope

ENDED_SHOWN = timedelta(days=30)
"""So long a silence that is over is still listed."""

MOST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """One silence. `name` is the target's key; `holds`: how many episodes it holds back now.

    `standing`: planned, in_force, lifted, expired. `rule` '': all technical ones of low and medium priority.
    """

    silence_id: int
    target: str
    name: str
    shown: str
    shown_en: str
    bed: str
    organisation_name: str
    organisation_name_en: str
    time_zone: str
    technical: bool
    rule: str
    priority: str
    reason: str
    set_by: str
    set_by_en: str
    set_at: datetime
    since: datetime
    until: datetime
    lifted_by: str | None
    lifted_by_en: str | None
    lifted_at: datetime | None
    standing: str
    holds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """By which silence an episode's pages are held back now."""

    episode_id: int
    silence_id: int
    until: datetime
    reason: str
    name: str
    name_en: str


def listed(connection: Connection, scope: Scope, now: datetime) -> list[Silence]:
    """List what is in force or planned, what ends first, and then what ended lately; at most `MOST`."""
    return _read(connection, scope, now, silence_id=None, ended_since=now - ENDED_SHOWN)


def one(connection: Connection, scope: Scope, silence_id: int, now: datetime) -> Silence | None:
    """Give one silence in scope, ended or not."""
    found = _read(connection, scope, now, silence_id=silence_id, ended_since=None)
    return found[0] if found else None


def in_force(connection: Connection, scope: Scope, now: datetime) -> int:
    """Count those in force: alarms that page nobody are not to be forgotten."""
    return int(records(connection, "silences_in_force", organisations=scope, now=now)[0]["count"])


def held_back(connection: Connection, episodes: Iterable[int], now: datetime) -> dict[int, HeldBack]:
    """Give what holds these episodes' pages back now, by episode."""
    ids = sorted(episodes)
    found = rows(connection, HeldBack, "held_back", episodes=ids, now=now) if ids else []
    return {each.episode_id: each for each in found}


def _read(
    connection: Connection, scope: Scope, now: datetime, *, silence_id: int | None, ended_since: datetime | None
) -> list[Silence]:
    which = {"silence_id": silence_id, "ended_since": ended_since}
    return rows(connection, Silence, "silences", organisations=scope, now=now, most=MOST, **which)
