"""What an event of a referral means for the follow-up at home: admitted or died, it ends; back home, it begins."""

from collections.abc import Mapping
from typing import Any

from alerting.cases.transfer import Event
from alerting.desk import Desk
from care.follow_up import EndedAs
from care.following_up import end_open_follow_up, open_follow_up

ENDS: Mapping[Event, EndedAs] = {Event.ADMIT: EndedAs.ADMITTED, Event.DIED: EndedAs.DIED}
BEGINS = frozenset({Event.RETURN})


def follow(desk: Desk, referral: Any, event: Event, *, person_id: int | None) -> None:
    """End or open the patient's follow-up where the event of a referral says so; in the caller's transaction."""
    if person_id is None:
        return
    who: dict[str, Any] = {"person_id": person_id, "now": desk.now, "why": f"referral {referral.referral_id}: {event}"}
    if event in ENDS:
        end_open_follow_up(desk.connection, referral.patient_id, ENDS[event], **who)
    elif event in BEGINS:
        open_follow_up(desk.connection, referral.patient_id, **who)
