"""The registry as values: who a patient is to the system, who looks after them, which device they wear when."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum, StrEnum

from care.consent import Consent
from care.contacts import Contact
from care.kit import Kit
from care.team import Team


class RiskColour(StrEnum):
    """Risk of a population group: general, secondary, key (一般/次重点/重点人群)."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


class ServiceTier(IntEnum):
    """Service by population risk (一级/二级/三级服务); no hospital grade, no administrative level."""

    ONE = 1
    TWO = 2
    THREE = 3


class UnderlyingDisease(StrEnum):
    """Whether there is an underlying disease, and whether it is stable."""

    NONE = "none"
    STABLE = "stable"
    UNSTABLE = "unstable"


class Vaccination(StrEnum):
    """Vaccinated against COVID-19: the full course, a part of it, or not at all."""

    FULL = "full"
    PARTIAL = "partial"
    NONE = "none"


class SpecialGroup(StrEnum):
    """Groups with rules of their own (CLINICAL 2.4)."""

    INFANT = "infant"
    CHILD = "child"
    PREGNANT = "pregnant"
    OVER_65 = "over_65"
    OVER_80 = "over_80"
    DISABLED = "disabled"
    DIALYSIS = "dialysis"
    RADIO_CHEMOTHERAPY = "radio_chemotherapy"
    HOME_OXYGEN = "home_oxygen"
    HYPERCAPNIC = "hypercapnic"


class FacilityRole(StrEnum):
    """What an organisation is in the county's care."""

    COUNTY = "county"
    VILLAGE_ROOM = "village_room"
    TOWNSHIP_OR_COMMUNITY = "township_or_community"
    SUB_DESIGNATED = "sub_designated"
    DESIGNATED = "designated"
    LEAD_HOSPITAL = "lead_hospital"
    PARTNER_TERTIARY = "partner_tertiary"
    EMS_120 = "ems_120"
    NURSING_HOME_CLINIC = "nursing_home_clinic"
    GRID = "grid"


class PersonRole(StrEnum):
    """What a person does."""

    FAMILY_DOCTOR = "family_doctor"
    DUTY = "duty"
    COUNTY_EXPERT = "county_expert"
    OPERATIONS = "operations"
    NURSE = "nurse"
    TECHNICIAN = "technician"
    COORDINATOR = "coordinator"
    ADMIN = "admin"
    REFERRAL_DESK = "referral_desk"
    DISPATCHER = "dispatcher"
    AUTHORITY = "authority"
    HELPER = "helper"


class DutyRole(StrEnum):
    """For what somebody is on duty."""

    TOWNSHIP_DUTY = "township_duty"
    COUNTY_EXPERT = "county_expert"
    OPERATIONS = "operations"
    REFERRAL_DESK = "referral_desk"
    TRANSPORT = "transport"
    AUTHORITY = "authority"


class Capability(StrEnum):
    """What a hospital can do that others can not."""

    HAEMODIALYSIS = "haemodialysis"
    ICU = "icu"
    PAEDIATRICS = "paediatrics"
    OBSTETRICS = "obstetrics"


class DeviceKind(StrEnum):
    """What a device measures with."""

    OXIMETER = "oximeter"
    THERMOMETER = "thermometer"
    CUFF = "cuff"
    GLUCOSE_METER = "glucose_meter"
    WEARABLE = "wearable"
    SCALE = "scale"


class Sex(StrEnum):
    """As the registry knows it."""

    FEMALE = "female"
    MALE = "male"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A county, hospital, centre, village room, home; `parent` is the key of the one above.

    `simulator`: what devices there and below call a demonstration or a test is taken as if it were real.
    `free_beds` None: it does not say. `counterpart` is the key of who treats the residents of a nursing home.
    """

    key: str
    name: str
    name_en: str
    facility_role: FacilityRole
    parent: str | None
    time_zone: str
    simulator: bool
    capabilities: tuple[Capability, ...]
    free_beds: int | None
    duty_phone: str
    counterpart: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """To which hospital of a role the patients of an organisation and all below it go; `place` 1 is asked first."""

    organisation: str
    facility_role: FacilityRole
    facility: str
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who cares for patients. Of `password` only the hash is ever stored; None for both: can not sign in."""

    key: str
    name: str
    name_en: str
    organisation: str
    role: PersonRole
    service_tier: ServiceTier
    channels: tuple[str, ...]
    password: str | None
    password_hash: str | None

    def __repr__(self) -> str:
        """Show nothing of the password."""
        return f"Person(key={self.key!r}, role={self.role.value!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Somebody at home or in a home who wears our devices.

    `risk_colour` is what a person says; where disease and vaccination are known the annex may raise it (care/risk.py).
    """

    key: str
    name: str
    initials: str
    bed: str
    born_on: date
    sex: Sex
    organisation: str
    family_doctor: str
    risk_colour: RiskColour
    service_tier: ServiceTier
    special_groups: tuple[SpecialGroup, ...]
    household_phone: str
    household_channels: tuple[str, ...]
    underlying_disease: UnderlyingDisease | None
    vaccination: Vaccination | None
    team: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that may send; its id stands in its topics."""

    key: str
    organisation: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device by its id on the wire. `expected_every_s` None: spot measurements, when worn.

    `gateway` None: the file does not say who reads it. `shared`: several people use it, and who is said each time.
    """

    key: str
    kind: DeviceKind
    wellness: bool
    expected_every_s: int | None
    gateway: str | None
    shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingInterval:
    """Who wears a device from when to when; None: without end."""

    device: str
    patient: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Who is on duty for an organisation and all below it; None: always."""

    organisation: str
    duty_role: DutyRole
    person: str
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All of it, or a part; the keys refer to one another and are known to match."""

    organisations: tuple[Organisation, ...] = ()
    people: tuple[Person, ...] = ()
    patients: tuple[Patient, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    devices: tuple[Device, ...] = ()
    bindings: tuple[BindingInterval, ...] = ()
    duties: tuple[Duty, ...] = ()
    routes: tuple[Route, ...] = ()
    teams: tuple[Team, ...] = ()
    contacts: tuple[Contact, ...] = ()
    consents: tuple[Consent, ...] = ()
    kits: tuple[Kit, ...] = ()
