"""Says for whom a person speaks of a referral: by what he is and the duty he holds now, as who is paged may answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from alerting.cases.transfer import Side
from alerting.desk import Desk
from alerting.paging import REFERRAL_DESK
from care.duty import posts_held

HOSPITAL_ROLES = frozenset({"referral_desk", "duty", "nurse", "coordinator", "county_expert"})
PRIMARY_ROLES = frozenset({"family_doctor", "duty", "nurse"})


def sides_of(desk: Desk, person: Any, referral: Any) -> list[Side]:
    """Say for whom a person speaks: by where he works and what he is, and by the duty he holds now.

    For primary care, and as a coordinator for the county, only who works where the patient belongs or above it, or is
    his family doctor; the county's experts may be employed at any hospital.
    """
    return sides_of_all(desk, person, [referral])[referral.referral_id]


def sides_of_all(desk: Desk, person: Any, referrals: Sequence[Any]) -> Mapping[int, list[Side]]:
    """Say the same of several referrals, by their numbers; asked at once, however many they are."""
    patients = sorted({referral.patient_id for referral in referrals})
    place = {row.patient_id: row.organisation_id for row in desk.all("patients", patients=patients)}
    near = {row.patient_id for row in desk.all("looked_after", person_id=person.person_id, patients=patients)}
    posts = {
        referral.referral_id: _posts(referral.facility_id, place.get(referral.patient_id)) for referral in referrals
    }
    every = sorted({post for its in posts.values() for post in its})
    held = posts_held(desk.connection, person.person_id, every, desk.now)
    return {
        referral.referral_id: _sides(
            person,
            referral.facility_id,
            {role for at, role in posts[referral.referral_id] if (at, role) in held},
            looks_after=referral.patient_id in near,
        )
        for referral in referrals
    }


def _posts(facility_id: int | None, organisation_id: int | None) -> list[tuple[int, str]]:
    duties = ((facility_id, REFERRAL_DESK), (organisation_id, "county_expert"), (organisation_id, "transport"))
    return [(at, role) for at, role in duties if at is not None]


def _sides(person: Any, facility_id: int | None, held: set[str], *, looks_after: bool) -> list[Side]:
    is_expert = (person.role == "county_expert" and person.service_tier == 3) or "county_expert" in held
    in_the_hospital = person.organisation_id == facility_id and person.role in HOSPITAL_ROLES
    speaks = (
        (Side.RECEIVER, facility_id is not None and (in_the_hospital or REFERRAL_DESK in held)),
        (Side.COUNTY, is_expert or (looks_after and person.role == "coordinator" and person.service_tier == 3)),
        (Side.PRIMARY, looks_after and person.service_tier == 2 and person.role in PRIMARY_ROLES),
        (Side.TRANSPORT, person.role == "dispatcher" or "transport" in held),
    )
    return [side for side, does in speaks if does]
