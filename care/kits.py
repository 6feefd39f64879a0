"""Kits lent and taken back, and who uses a shared device now. Each act is one transaction."""

from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.range import TimestamptzRange

from care.claiming import bind, wear
from care.keeping import Unknown, announce, locked, note
from care.kit import SESSION, KitRefused, KitState, check_return
from care.sql import load_queries
from care.status import Status

Connection = psycopg.Connection[Any]
_REGISTRY = load_queries("care")
_QUERIES = load_queries("care", "registry.sql")
_LENT_TO = frozenset({Status.ACTIVE, Status.AWAY})


def lend(connection: Connection, kit: str, patient: str, *, person_id: int, now: datetime) -> None:
    """Lend a kit: from now on the patient wears its devices. Raises KitRefused, Unknown."""
    with connection.transaction():
        connection.execute(_REGISTRY["lock_registry"])
        box = _locked_kit(connection, kit)
        who = locked(connection, patient)
        if box["loan_id"] is not None:
            raise KitRefused(f"{kit} is lent to {box['patient']}: take it back first")
        if who["status"] not in _LENT_TO:
            raise KitRefused(f"{patient} is {who['status']}: change that first")
        worn = connection.execute(_QUERIES["wearers_of"], {"devices": box["devices"], "now": now}).fetchall()
        for device, wearer in worn:
            if wearer != patient:
                raise KitRefused(f"{device} of {kit} is worn by {wearer}: unbind it first")
        values = {"kit_id": box["kit_id"], "patient_id": who["patient_id"], "person_id": person_id, "now": now}
        connection.execute(_QUERIES["lend_kit"], values)
        for device in box["devices"]:
            wear(connection, device, patient, now)
        announce(connection)


def give_back(
    connection: Connection, kit: str, state: KitState, *, missing: str = "", person_id: int, now: datetime
) -> None:
    """Take a kit back: nobody wears its devices any more. Raises KitRefused, Unknown."""
    check_return(state, missing)
    with connection.transaction():
        connection.execute(_REGISTRY["lock_registry"])
        box = _locked_kit(connection, kit)
        if box["loan_id"] is None:
            raise KitRefused(f"{kit} is not lent to anybody")
        values = {"loan_id": box["loan_id"], "state": state, "missing": missing.strip()[:500], "person_id": person_id}
        connection.execute(_QUERIES["return_kit"], values | {"now": now})
        worn = connection.execute(_QUERIES["wearers_of"], {"devices": box["devices"], "now": now}).fetchall()
        for device, wearer in worn:
            if wearer == box["patient"]:
                wear(connection, device, None, now)
        announce(connection)


def choose(connection: Connection, device: str, patient: str | None, *, person_id: int, now: datetime) -> None:
    """Say who measures with a shared device in the next ten minutes; None: nobody any more. Raises KitRefused, Unknown.

    The choice before ends now. What comes without a choice belongs to nobody.
    """
    with connection.transaction():
        connection.execute(_REGISTRY["lock_registry"])
        if connection.execute(_QUERIES["shared_device"], {"device": device}).fetchone() is None:
            raise Unknown(f"there is no shared device {device!r}")
        if patient is None:
            changed = wear(connection, device, None, now)
        else:
            who = locked(connection, patient)
            if who["status"] in (Status.DEAD, Status.DISCHARGED):
                raise KitRefused(f"{patient} is {who['status']}: change that first")
            wear(connection, device, None, now)
            changed = bind(connection, device, patient, TimestamptzRange(now, now + SESSION), now)
        if changed:
            announce(connection)
            note(connection, "chosen", {"device": device, "patient": patient}, person_id=person_id, now=now)


def _locked_kit(connection: Connection, kit: str) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_QUERIES["lock_kit"], {"kit": kit}).fetchone()
    if found is None:
        raise Unknown(f"there is no kit {kit!r}")
    return found
