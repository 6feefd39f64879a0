"""Care teams, 1+1+1+N (core): who looks after a patient together. Paging goes to the family doctor as ever."""

from dataclasses import dataclass
from enum import StrEnum


class MemberRole(StrEnum):
    """Of each of the first three there is one; helpers are grid workers and volunteers, as many as there are."""

    FAMILY_DOCTOR = "family_doctor"
    NURSE = "nurse"
    VILLAGE_DOCTOR = "village_doctor"
    HELPER = "helper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """A team of an organisation. Doctor, nurse (or public-health doctor), village doctor are keys of people.

    `helper_people` are keys of people with the role helper: they sign in and see the tasks of the team's patients.
    `helpers` are names with phones, of people who do not.
    """

    key: str
    name: str
    organisation: str
    family_doctor: str
    nurse: str
    village_doctor: str
    helper_people: tuple[str, ...]
    helpers: tuple[str, ...]
