"""Says for whom a person speaks of a referral: by what he is and the duty he holds now, as who is paged may answer."""

from typing import Any

from alerting.cases.transfer import Side
from alerting.desk import Desk
from alerting.paging import REFERRAL_DESK
from care.duty import on_duty

HOSPITAL_ROLES = frozenset({"referral_desk", "duty", "nurse", "coordinator", "county_expert"})
PRIMARY_ROLES = frozenset({"family_doctor", "duty", "nurse"})


def sides_of(desk: Desk, person: Any, referral: Any) -> list[Side]:
    """Say for whom a person speaks: by where he works and what he is, and by the duty he holds now.

    For primary care, and as a coordinator for the county, only who works where the patient belongs or above it, or is
    his family doctor; the county's experts may be employed at any hospital.
    """
    facility_id, patient = referral.facility_id, desk.one("patient", patient_id=referral.patient_id)
    organisation_id = patient.organisation_id if patient else None
    duties = ((facility_id, REFERRAL_DESK), (organisation_id, "county_expert"), (organisation_id, "transport"))
    held = {role for at, role in duties if at is not None and _is_on_duty(desk, person.person_id, at, role)}
    looks_after = desk.one("looks_after", person_id=person.person_id, patient_id=referral.patient_id) is not None
    is_expert = (person.role == "county_expert" and person.service_tier == 3) or "county_expert" in held
    in_the_hospital = person.organisation_id == facility_id and person.role in HOSPITAL_ROLES
    speaks = (
        (Side.RECEIVER, facility_id is not None and (in_the_hospital or REFERRAL_DESK in held)),
        (Side.COUNTY, is_expert or (looks_after and person.role == "coordinator" and person.service_tier == 3)),
        (Side.PRIMARY, looks_after and person.service_tier == 2 and person.role in PRIMARY_ROLES),
        (Side.TRANSPORT, person.role == "dispatcher" or "transport" in held),
    )
    return [side for side, does in speaks if does]


def _is_on_duty(desk: Desk, person_id: int, organisation_id: int, role: str) -> bool:
    return any(each.person_id == person_id for each in on_duty(desk.connection, organisation_id, role, desk.now))
