"""Brings the registry of the database to what a file says: one transaction, and nothing where nothing changed.

Keys decide what is the same. Nothing is deleted but duty and bindings to come: people, patients and devices that the
file no longer names stay. A binding that has run is history and stays: one that the file no longer has ends now, and
what the file wants is bound for the time that is free. Where people have spoken, a file that may be older is silent:
claims that they made stay, and a device that they bound by hand is bound by hand for good.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.range import TimestamptzRange

from care.claims import CLAIMS_MAX, ClaimRefused, Obstacle
from care.passwords import hashed, matches
from care.putting import (
    end_long_sessions,
    put_consents,
    put_contacts,
    put_kits,
    put_patients_in_teams,
    put_people_in_teams,
)
from care.recolouring import recolour_all
from care.registry import BindingInterval, Person, Registry
from care.sql import load_queries

_QUERIES = load_queries("care")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """How many entries of each kind were entered, changed, ended or taken away; `version` is the registry's now.

    `bound_by_hand` are devices for which the file has bindings that were passed over.
    """

    organisations: int
    people: int
    patients: int
    gateways: int
    devices: int
    bindings: int
    duties: int
    claims: int
    routes: int
    teams: int
    contacts: int
    consents: int
    kits: int
    colours: int
    version: int
    bound_by_hand: tuple[str, ...]

    @property
    def changes(self) -> int:
        """Count them all."""
        return sum(self.counts().values())

    def counts(self) -> dict[str, int]:
        """Give them by kind."""
        return {name: value for name, value in asdict(self).items() if name not in ("version", "bound_by_hand")}


def load(connection: psycopg.Connection[Any], registry: Registry, *, now: datetime) -> Loaded:
    """Apply a registry in one transaction; doing it again changes nothing. Bindings that change, change at `now`."""
    with connection.transaction():
        version = connection.execute(_QUERIES["lock_registry"]).fetchone()[0]  # type: ignore[index]
        by_hand = _bound_by_hand(connection, registry)
        counts = {
            "organisations": _put_organisations(connection, registry),
            "people": _put_people(connection, registry.people),
            "patients": _put_all(connection, "put_patient", registry.patients),
            "gateways": _put_all(connection, "put_gateway", registry.gateways),
            "devices": _put_all(connection, "put_device", registry.devices),
            "bindings": end_long_sessions(connection, now) + _put_bindings(connection, registry, by_hand, now),
            "duties": _put_duties(connection, registry),
            "claims": _put_claims(connection, registry, now),
            "routes": _put_routes(connection, registry),
            "teams": put_people_in_teams(connection, registry.teams, now)
            + put_patients_in_teams(connection, registry.patients, now),
            "contacts": put_contacts(connection, registry.contacts, now),
            "consents": put_consents(connection, registry.consents, now),
            "kits": put_kits(connection, registry.kits),
        }
        counts["colours"] = recolour_all(connection, now=now).raised
        if any(counts.values()):
            version += 1
            connection.execute(_QUERIES["bump_registry"])
            connection.execute(_QUERIES["notify_registry"])
        if counts["claims"]:
            connection.execute(_QUERIES["notify_claims"])
    return Loaded(**counts, version=version, bound_by_hand=by_hand)


def _put_organisations(connection: psycopg.Connection[Any], registry: Registry) -> int:
    changes = _put_all(connection, "put_organisation", registry.organisations)
    return changes + _put_all(connection, "set_kin", registry.organisations)


def _put_people(connection: psycopg.Connection[Any], people: tuple[Person, ...]) -> int:
    known = dict(connection.execute(_QUERIES["password_hashes"], {"keys": [p.key for p in people]}).fetchall())
    changes = 0
    for person in people:
        values = _columns(person)
        if person.password is not None:
            kept = known.get(person.key)
            values["password_hash"] = kept if matches(kept, person.password) else hashed(person.password)
        del values["password"]
        changes += connection.execute(_QUERIES["put_person"], values).rowcount
    return changes


def _put_all(connection: psycopg.Connection[Any], query: str, entries: Iterable[Any]) -> int:
    values = [_columns(entry) for entry in entries]
    with connection.cursor() as cursor:
        cursor.executemany(_QUERIES[query], values)
        return cursor.rowcount if values else 0


def _columns(entry: Any) -> dict[str, Any]:
    """Give an entry's fields as the database takes them: enums by value, lists as lists."""
    return {name: _plain(value) for name, value in asdict(entry).items()}


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [str(item) for item in value]
    if isinstance(value, str):
        return str(value)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _bound_by_hand(connection: psycopg.Connection[Any], registry: Registry) -> tuple[str, ...]:
    keys = sorted({device.key for device in registry.devices})
    return tuple(row[0] for row in connection.execute(_QUERIES["bound_by_hand"], {"keys": keys}))


def _put_bindings(
    connection: psycopg.Connection[Any], registry: Registry, by_hand: tuple[str, ...], now: datetime
) -> int:
    wanted: dict[str, list[BindingInterval]] = {d.key: [] for d in registry.devices if d.key not in by_hand}
    for binding in registry.bindings:
        if binding.device in wanted:
            wanted[binding.device].append(binding)
    changes = 0
    for device, bindings in wanted.items():
        values = {
            "device": device,
            "now": now,
            "patients": [binding.patient for binding in bindings],
            "wanted": [TimestamptzRange(binding.since, binding.until) for binding in bindings],
        }
        for query in ("drop_bindings_to_come", "close_bindings", "shorten_bindings", "add_bindings"):
            changes += connection.execute(_QUERIES[query], values).rowcount
    return changes


def _put_duties(connection: psycopg.Connection[Any], registry: Registry) -> int:
    """Put on and take off duty, for every organisation that the file describes."""
    duties = registry.duties
    values = {
        "spoken_of": [organisation.key for organisation in registry.organisations],
        "organisations": [duty.organisation for duty in duties],
        "roles": [duty.duty_role.value for duty in duties],
        "people": [duty.person for duty in duties],
        "valid": [TimestamptzRange(duty.since, duty.until) for duty in duties],
    }
    return sum(connection.execute(_QUERIES[query], values).rowcount for query in ("drop_duties", "add_duties"))


def _put_routes(connection: psycopg.Connection[Any], registry: Registry) -> int:
    """Write to which hospitals patients go, for every organisation that the file describes."""
    values = {
        "spoken_of": [organisation.key for organisation in registry.organisations],
        "organisations": [route.organisation for route in registry.routes],
        "roles": [route.facility_role.value for route in registry.routes],
        "facilities": [route.facility for route in registry.routes],
        "places": [route.place for route in registry.routes],
    }
    return sum(connection.execute(_QUERIES[query], values).rowcount for query in ("drop_routes", "add_routes"))


def _put_claims(connection: psycopg.Connection[Any], registry: Registry, now: datetime) -> int:
    """Let gateways read what the file says. Raises ClaimRefused where one would read too many devices."""
    claimed = [device for device in registry.devices if device.gateway is not None]
    values = {
        "spoken_of": [device.key for device in registry.devices],
        "devices": [device.key for device in claimed],
        "gateways": [device.gateway for device in claimed],
        "now": now,
    }
    changes = sum(
        connection.execute(_QUERIES[query], values).rowcount for query in ("drop_file_claims", "add_file_claims")
    )
    crowded = connection.execute(_QUERIES["crowded_gateways"], {"most": CLAIMS_MAX}).fetchone() if changes else None
    if crowded:
        raise ClaimRefused(Obstacle.TOO_MANY, f"{crowded[0]} would read more than {CLAIMS_MAX} devices")
    return changes
