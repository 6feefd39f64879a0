"""Writes what a registry file says of teams, contacts, consents and kits; again, it changes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from care.consent import Consent
from care.contacts import Contact
from care.kit import Kit
from care.registry import Patient
from care.sql import load_queries
from care.team import MemberRole, Team

Connection = psycopg.Connection[Any]
_QUERIES = load_queries("care", "registry.sql")


def put_people_in_teams(connection: Connection, teams: Sequence[Team], now: datetime) -> int:
    """Write the teams, and who is in them from `now` on."""
    wanted = [each for team in teams for each in _members(team)]
    values = {"spoken_of": [team.key for team in teams], "wanted": Jsonb(wanted), "now": now}
    changes = sum(_run(connection, "put_team", asdict(team)) for team in teams)
    return changes + sum(_run(connection, query, values) for query in ("leave_team", "join_team"))


def put_patients_in_teams(connection: Connection, patients: Sequence[Patient], now: datetime) -> int:
    """Write which team each of these patients has from `now` on."""
    values = {"patients": [each.key for each in patients], "teams": [each.team for each in patients], "now": now}
    return sum(_run(connection, query, values) for query in ("leave_patients", "take_patients"))


def put_contacts(
    connection: Connection,
    contacts: Sequence[Contact],
    now: datetime,
    *,
    person_id: int | None = None,
    spoken_of: Iterable[str] | None = None,
) -> int:
    """Write all the contacts of the patients spoken of: by default, of those who have any here."""
    places: dict[str, int] = {}
    wanted = []
    for contact in contacts:
        places[contact.patient] = places.get(contact.patient, 0) + 1
        wanted.append(asdict(contact) | {"place": places[contact.patient]})
    values = {
        "spoken_of": list(places if spoken_of is None else spoken_of),
        "wanted": Jsonb(wanted),
        "person_id": person_id,
        "now": now,
    }
    return sum(_run(connection, query, values) for query in ("end_contacts", "add_contacts"))


def put_consents(connection: Connection, consents: Iterable[Consent], now: datetime) -> int:
    """Record consents that are not recorded yet."""
    return sum(_run(connection, "add_consent", asdict(each) | {"person_id": None, "now": now}) for each in consents)


def put_kits(connection: Connection, kits: Sequence[Kit]) -> int:
    """Write the kits and what is in them."""
    packed = [(kit.key, device) for kit in kits for device in kit.devices]
    values = {
        "spoken_of": [kit.key for kit in kits],
        "kits": [kit for kit, _ in packed],
        "devices": [device for _, device in packed],
    }
    keys = ("key", "organisation", "gateway")
    changes = sum(_run(connection, "put_kit", {key: getattr(kit, key) for key in keys}) for kit in kits)
    return changes + sum(_run(connection, query, values) for query in ("unpack_kits", "pack_kits"))


def end_long_sessions(connection: Connection, now: datetime) -> int:
    """End the bindings of devices that have become shared."""
    return _run(connection, "end_long_sessions", {"now": now})


def _members(team: Team) -> list[dict[str, str | None]]:
    people = {
        MemberRole.FAMILY_DOCTOR: team.family_doctor,
        MemberRole.NURSE: team.nurse,
        MemberRole.VILLAGE_DOCTOR: team.village_doctor,
    }
    found: list[dict[str, str | None]] = [
        {"team": team.key, "member_role": role, "person": person, "helper": ""} for role, person in people.items()
    ]
    found += [
        {"team": team.key, "member_role": MemberRole.HELPER, "person": person, "helper": ""}
        for person in team.helper_people
    ]
    return found + [
        {"team": team.key, "member_role": MemberRole.HELPER, "person": None, "helper": helper}
        for helper in team.helpers
    ]


def _run(connection: Connection, query: str, values: dict[str, Any]) -> int:
    return connection.execute(_QUERIES[query], values).rowcount
