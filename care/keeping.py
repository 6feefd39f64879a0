"""What people say of a patient in the console: how he stands, whom to ask, what he agreed to. One transaction each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from care import consent, status
from care.claiming import wear
from care.consent import Consent, ConsentRefused
from care.contacts import CONTACTS_MAX, Contact
from care.putting import put_contacts
from care.sql import load_queries
from care.status import Change, Status, StatusRefused

Connection = psycopg.Connection[Any]
_REGISTRY = load_queries("care")
_QUERIES = load_queries("care", "registry.sql")


class Unknown(LookupError):
    """There is no such patient, device or kit."""


def change_status(connection: Connection, patient: str, change: Change, *, person_id: int, now: datetime) -> None:
    """Write down how a patient stands; one who has died wears nothing any more. Raises StatusRefused, Unknown."""
    with connection.transaction():
        connection.execute(_REGISTRY["lock_registry"])
        found = locked(connection, patient)
        role = _one(connection, "role_of", person_id=person_id)["role"]
        status.check(change, was=Status(found["status"]), since=found["since"], role=role, now=now)
        _write_status(connection, found, change, person_id=person_id, now=now)


def status_by_referral(
    connection: Connection, patient_id: int, change: Change, *, person_id: int, now: datetime
) -> bool:
    """Write down what a referral's event says of how a patient stands; says whether that is news.

    Whoever may say the event may say this; what the table does not know from where he stands is left as it is.
    """
    with connection.transaction():
        connection.execute(_REGISTRY["lock_registry"])
        key = _one(connection, "key_of", patient_id=patient_id)["key"]
        found = locked(connection, key)
        was = Status(found["status"])
        if was is change.to or (was, change.to) not in status.TRANSITIONS or was is Status.DEAD:
            return False
        _write_status(connection, found, change, person_id=person_id, now=now)
    return True


def _write_status(
    connection: Connection, found: dict[str, Any], change: Change, *, person_id: int, now: datetime
) -> None:
    connection.execute(
        _QUERIES["add_status"],
        {
            "patient_id": found["patient_id"],
            "status": change.to,
            "at": change.at,
            "until": change.until,
            "place": change.place.strip(),
            "reason": change.reason.strip()[: status.REASON_CHARACTERS_MAX],
            "person_id": person_id,
            "now": now,
        },
    )
    if change.to is Status.DEAD:
        _end_bindings(connection, found["patient_id"], change.at)
    announce(connection)


def set_contacts(
    connection: Connection, patient: str, contacts: Sequence[Contact], *, person_id: int, now: datetime
) -> int:
    """Write all of a patient's contacts, in order; those that are not among them end. Raises ValueError, Unknown."""
    if len(contacts) > CONTACTS_MAX:
        raise ValueError(f"{len(contacts)} contacts, at most {CONTACTS_MAX}")
    with connection.transaction():
        connection.execute(_REGISTRY["lock_registry"])
        locked(connection, patient)
        return put_contacts(connection, contacts, now, person_id=person_id, spoken_of=[patient])


def record_consent(connection: Connection, said: Consent, *, person_id: int, now: datetime) -> None:
    """Record what somebody agreed to, or took back: nothing else ends by it. Raises ConsentRefused, Unknown."""
    with connection.transaction():
        found = locked(connection, said.patient)
        if said.at > now:
            raise ConsentRefused(f"{said.at.isoformat()} is yet to come: record it when it was said")
        consent.check(said, born_on=found["born_on"], on=said.at.astimezone(ZoneInfo(found["time_zone"])).date())
        values = {
            "patient": said.patient,
            "purpose": said.purpose,
            "version": said.version.strip(),
            "given": said.given,
            "given_by": said.given_by,
            "guardian": said.guardian.strip(),
            "at": said.at,
            "person_id": person_id,
            "now": now,
        }
        connection.execute(_QUERIES["add_consent"], values)


def review_colour(connection: Connection, patient: str, assessment_id: int, *, person_id: int, now: datetime) -> None:
    """Note that somebody has looked at a colour, as of the assessment that he has seen. Raises Unknown."""
    values = {"patient": patient, "assessment_id": assessment_id, "person_id": person_id, "now": now}
    with connection.transaction():
        if not connection.execute(_QUERIES["review_colour"], values).rowcount:
            raise Unknown(f"nothing of {patient!r} up to assessment {assessment_id} is to be reviewed")


def unbind(connection: Connection, patient: str, device: str, *, person_id: int, now: datetime) -> None:
    """Let a patient wear a device no more. Raises Unknown where he does not."""
    with connection.transaction():
        connection.execute(_REGISTRY["lock_registry"])
        found = locked(connection, patient)
        worn = connection.execute(_QUERIES["worn_by"], {"patient_id": found["patient_id"], "at": now}).fetchall()
        if (device,) not in [tuple(row) for row in worn]:
            raise Unknown(f"{patient!r} does not wear {device!r}")
        wear(connection, device, None, now)
        announce(connection)
        note(connection, "unbound", {"patient": patient, "device": device}, person_id=person_id, now=now)


def locked(connection: Connection, patient: str) -> dict[str, Any]:
    """Give a patient whom nobody else changes meanwhile. Raises Unknown."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_QUERIES["lock_patient"], {"patient": patient}).fetchone()
    if found is None:
        raise Unknown(f"there is no patient {patient!r}")
    return found


def announce(connection: Connection) -> None:
    """Tell those who read the registry."""
    connection.execute(_REGISTRY["bump_registry"])
    connection.execute(_REGISTRY["notify_registry"])


def note(connection: Connection, act: str, detail: dict[str, Any], *, person_id: int, now: datetime) -> None:
    """Write down who changed the registry by hand."""
    values = {"now": now, "person_id": person_id, "act": act, "detail": Jsonb(detail)}
    connection.execute(_REGISTRY["record_act"], values)


def _end_bindings(connection: Connection, patient_id: int, at: datetime) -> None:
    values = {"patient_id": patient_id, "at": at}
    for (device,) in connection.execute(_QUERIES["worn_by"], values).fetchall():
        connection.execute(_REGISTRY["mark_bound_by_hand"], {"device": device})
    connection.execute(_QUERIES["end_bindings"], values)


def _one(connection: Connection, query: str, **values: object) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(_QUERIES[query], values).fetchone()
    if found is None:
        raise StatusRefused(f"nobody is {values}")
    return found
