"""What somebody's word on a patient means beside the alarm: for the follow-up at home, and for how he stands."""

from collections.abc import Mapping
from typing import Any

from alerting.cases.transfer import Event
from alerting.desk import Desk
from care.follow_up import EndedAs
from care.following_up import end_open_follow_up, open_follow_up
from care.keeping import status_by_referral
from care.status import Change, Status

ENDS: Mapping[Event, EndedAs] = {Event.ADMIT: EndedAs.ADMITTED, Event.DIED: EndedAs.DIED}
BEGINS = frozenset({Event.RETURN})
STANDS: Mapping[Event, Status] = {
    Event.ADMIT: Status.ADMITTED,
    Event.RETURN: Status.ACTIVE,
    Event.WITHDRAW: Status.ACTIVE,
}
"""How a patient stands after an event of his referral (care/status.py). That he is dead, by which his devices are taken
off him, whoever keeps him writes down: a word that turns out wrong must not leave him unwatched."""


def follow(desk: Desk, referral: Any, event: Event, *, person_id: int | None) -> None:
    """End or open the patient's follow-up, and write how he stands, where the event of a referral says so.

    In the caller's transaction.
    """
    if person_id is None:
        return
    why = f"referral {referral.referral_id}: {event}"
    who: dict[str, Any] = {"person_id": person_id, "now": desk.now}
    if event in ENDS:
        end_open_follow_up(desk.connection, referral.patient_id, ENDS[event], why=why, **who)
    elif event in BEGINS:
        open_follow_up(desk.connection, referral.patient_id, why=why, **who)
    if event is Event.WITHDRAW and referral.admitted_at is None:
        return  # somebody else may have written how he stands
    if event in STANDS:
        change = Change(to=STANDS[event], at=desk.now, reason=why, place=_place(desk, referral, STANDS[event]))
        status_by_referral(desk.connection, referral.patient_id, change, **who)


def _place(desk: Desk, referral: Any, to: Status) -> str:
    named = desk.one("referral", referral_id=referral.referral_id) if to is Status.ADMITTED else None
    return named.facility_name or "" if named else ""
