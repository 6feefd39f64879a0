"""What a look at one subject says about one thing that can be wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from alerting.profile.technical import Family

STORM = "storm:"
"""How the key of a cause begins that many faults have in common."""


class Standing(StrEnum):
    """How it stands. What can not be known changes nothing: an alarm neither begins nor ends by it."""

    FAULT = "fault"
    WELL = "well"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whose it is: a patient's, or a gateway's, a device's, a centre's (`key`, see alerting/schema/0004)."""

    key: str
    patient_id: int | None = None
    organisation_id: int | None = None
    gateway_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One look at one thing. A FAULT has lasted its limit; `since` is when it began."""

    subject: Subject
    family: Family
    standing: Standing
    rule: str = ""
    since: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


def of_patient(patient_id: int) -> Subject:
    """Name a patient."""
    return Subject(key=f"patient:{patient_id}", patient_id=patient_id)


def of_gateway(gateway_id: str, organisation_id: int) -> Subject:
    """Name a gateway and whose it is."""
    return Subject(key=f"gateway:{gateway_id}", organisation_id=organisation_id, gateway_id=gateway_id)


def of_device(device: str, organisation_id: int, gateway_id: str | None = None) -> Subject:
    """Name a device that is no patient's, and the gateway that heard it."""
    return Subject(key=f"device:{device}", organisation_id=organisation_id, gateway_id=gateway_id)


def of_roster(organisation_id: int, duty_role: str = "") -> Subject:
    """Name a duty of an organisation's roster; without one, all duties that never had a roster."""
    key = f"roster:{organisation_id}:{duty_role}" if duty_role else f"roster:{organisation_id}"
    return Subject(key=key, organisation_id=organisation_id)


def of_centre(organisation_id: int) -> Subject:
    """Name the centre: the topmost organisation."""
    return Subject(key=f"centre:{organisation_id}", organisation_id=organisation_id)


def of_storm(family: str, organisation_id: int, model: str = "") -> Subject:
    """Name one cause of many faults: of which kind, at which organisation and below; of one model of devices."""
    key = f"{STORM}{family}:{organisation_id}" + (f":{model}" if model else "")
    return Subject(key=key, organisation_id=organisation_id)
