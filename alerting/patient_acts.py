"""What people say of a patient beside his alarms: a follow-up's contact, a decision on its signs, how he stands.

Each is one transaction, with what becomes of the alarms.
"""

from datetime import datetime
from typing import Any

import psycopg

from alerting.acting import ActError, acting_desk
from alerting.cases.referring import ReferralRefused, end_by_death
from alerting.profile.profile import SYMPTOM
from alerting.recording import record_all_clear
from alerting.reported import decide_by, raise_signs
from care import keeping
from care.follow_up import Contact, Decision, EndedAs, FollowUpRefused
from care.following_up import (
    await_decision,
    contact_of,
    decide_on_signs,
    end_open_follow_up,
    record_contact,
)
from care.keeping import Unknown
from care.status import Change, Status


def follow_up(
    connection: psycopg.Connection[Any], *, follow_up_id: int, contact: Contact, person_id: int, now: datetime
) -> int:
    """Write a follow-up contact down; gives it. All signs asked and none there ends a SYMPTOM. Raises ActError.

    Where a warning sign is there, somebody has to decide in time, else the clock does (alerting/reported.py).
    """
    desk = acting_desk(connection, now)
    with connection.transaction():
        desk.run("lock_followed", follow_up_id=follow_up_id)
        try:
            contact_id = record_contact(connection, follow_up_id, contact, person_id=person_id, now=now)
        except FollowUpRefused as exc:
            raise ActError(str(exc)) from exc
        found = contact_of(connection, contact_id)
        if contact.warning_signs:
            await_decision(connection, contact_id, decide_by=decide_by(desk, now))
        if contact.is_all_clear and found is not None:
            detail = {"contact": contact_id, "way": contact.way.value}
            record_all_clear(desk, patient_id=found.patient_id, rule=SYMPTOM, detail=detail)
        return contact_id


def change_status(
    connection: psycopg.Connection[Any], *, key: str, change: Change, person_id: int, now: datetime
) -> None:
    """Write how a patient stands; by a death his alarms and his follow-up end, in the same transaction.

    Raises StatusRefused, Unknown (care.keeping), ActError where he is being referred.
    """
    desk = acting_desk(connection, now)
    with connection.transaction():
        patient = desk.one("patient_of_key", key=key)
        if patient is None:
            raise Unknown(f"there is no patient {key!r}")
        desk.run("lock_patient", patient_id=patient.patient_id)
        keeping.change_status(connection, key, change, person_id=person_id, now=now)
        if change.to is not Status.DEAD:
            return
        try:
            end_by_death(desk, patient.patient_id, person_id=person_id)
        except ReferralRefused as exc:
            raise ActError(str(exc)) from exc
        end_open_follow_up(
            connection, patient.patient_id, EndedAs.DIED, person_id=person_id, now=now, why=change.reason
        )


def decide_signs(
    connection: psycopg.Connection[Any],
    *,
    contact_id: int,
    decision: Decision,
    note: str,
    person_id: int,
    now: datetime,
    link: str = "",
) -> int | None:
    """Decide on a contact's warning signs: ALARM raises SYMPTOM, which escalates as any other; gives its episode.

    Raises ActError, also where somebody has decided before.
    """
    desk = acting_desk(connection, now, link)
    with connection.transaction():
        try:
            first = decide_on_signs(connection, contact_id, decision, note=note, person_id=person_id, now=now)
        except FollowUpRefused as exc:
            raise ActError(str(exc)) from exc
        found = contact_of(connection, contact_id)
        if not first or found is None:
            raise ActError(
                f"contact {contact_id} is decided: somebody has decided on it before, or, as nobody did in time, it has"
                " raised the alarm, which is to be answered now"
            )
        return raise_signs(desk, found) if decision is Decision.ALARM else None
