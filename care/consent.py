"""What a patient agreed to, and took back: for each purpose apart (core; PIPL 15, 28, 29, 31; CLINICAL section 9)."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

GUARDIAN_UNDER_YEARS = 14
"""Health data of a younger child may be handled only with a guardian's consent (PIPL 31)."""


class Purpose(StrEnum):
    """What for: each needs a consent of its own."""

    TELEMONITORING = "telemonitoring"
    HOSPITAL_SHARING = "hospital_sharing"
    TELLING_KIN = "telling_kin"
    RESEARCH = "research"


class GivenBy(StrEnum):
    """Who spoke."""

    PATIENT = "patient"
    GUARDIAN = "guardian"


class ConsentRefused(ValueError):
    """A consent can not be recorded; the message names the offending value and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A consent given, or taken back (`given` False), at an instant; `version` is of the text that was read."""

    patient: str
    purpose: Purpose
    version: str
    given: bool
    given_by: GivenBy
    guardian: str
    at: datetime


def check(consent: Consent, *, born_on: date, on: date) -> None:
    """Say whether a consent may be recorded that was given on a day where the patient lives. Raises ConsentRefused."""
    if not consent.version.strip():
        raise ConsentRefused("a consent needs the version of the text that was signed")
    if consent.given_by is GivenBy.GUARDIAN and not consent.guardian.strip():
        raise ConsentRefused("a guardian's consent needs the guardian's name")
    if consent.given_by is GivenBy.PATIENT and consent.guardian.strip():
        raise ConsentRefused(f"{consent.guardian!r} is named as guardian, but the patient spoke himself")
    if consent.given_by is GivenBy.PATIENT and _years(born_on, on) < GUARDIAN_UNDER_YEARS:
        raise ConsentRefused(
            f"born on {born_on}, he is under {GUARDIAN_UNDER_YEARS}: a guardian has to consent, and to be named"
        )


def _years(born_on: date, on: date) -> int:
    return on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))
