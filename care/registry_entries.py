"""Reads each kind of entry of a registry file: its fields, their form, what they refer to."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from care.claims import is_bluetooth_address
from care.reading import Entry
from care.registry import (
    BindingInterval,
    Capability,
    Device,
    DeviceKind,
    Duty,
    DutyRole,
    FacilityRole,
    Gateway,
    Organisation,
    Patient,
    Person,
    PersonRole,
    RiskColour,
    Route,
    ServiceTier,
    Sex,
    SpecialGroup,
    UnderlyingDisease,
    Vaccination,
)
from vitals.sustained import BUCKET_MS

KEY = r"[a-z0-9][a-z0-9_-]{0,62}"
DEVICE_KEY = r"[\x21-\x7e]{1,64}"
PASSWORD_HASH = r"\$argon2id\$.+"
PASSWORD_CHARACTERS_MIN = 8
EXPECTED_EVERY_S_MAX = BUCKET_MS // 1000
"""A continuous device slower than this would leave buckets of the sustained rules empty, and never alarm."""
FREE_BEDS_MAX, PLACE_MAX = 10_000, 9
_Choice = TypeVar("_Choice", bound=StrEnum)
_STAND_IN = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of the file, for references."""

    organisations: frozenset[str]
    people: frozenset[str]
    family_doctors: frozenset[str]
    patients: frozenset[str]
    gateways: frozenset[str]
    devices: frozenset[str]
    teams: frozenset[str] = frozenset()
    helpers: frozenset[str] = frozenset()


def read_organisation(key: str, entry: Entry, keys: Keys) -> Organisation:
    """Read [organisation.<key>]."""
    check_key(key, entry, KEY)
    zone = entry.text("time_zone", "Asia/Shanghai")
    if not _is_time_zone(zone):
        entry.problem("time_zone", f"{zone!r} is no time zone; write one like Asia/Shanghai")
    organisation = Organisation(
        key=key,
        name=entry.text("name"),
        name_en=entry.text("name_en"),
        facility_role=entry.choice("facility_role", FacilityRole),
        parent=entry.reference("parent", keys.organisations, "organisation") if entry.has("parent") else None,
        time_zone=zone,
        simulator=entry.flag("simulator", False),
        capabilities=entry.choices("capabilities", Capability),
        free_beds=entry.whole("free_beds", 0, FREE_BEDS_MAX, else_do="leave it out where it is not known"),
        duty_phone=entry.text("duty_phone", ""),
        counterpart=_counterpart(entry, keys),
    )
    entry.end()
    return organisation


def read_route(entry: Entry, keys: Keys) -> Route:
    """Read one [[route]]."""
    route = Route(
        organisation=entry.reference("organisation", keys.organisations, "organisation"),
        facility_role=entry.choice("role", FacilityRole),
        facility=entry.reference("to", keys.organisations, "organisation"),
        place=entry.whole("place", 1, PLACE_MAX, else_do="1 is asked first, then its backups") or 1,
    )
    entry.end()
    return route


def _counterpart(entry: Entry, keys: Keys) -> str | None:
    return entry.reference("counterpart", keys.organisations, "organisation") if entry.has("counterpart") else None


def read_person(key: str, entry: Entry, keys: Keys) -> Person:
    """Read [person.<key>]."""
    check_key(key, entry, KEY)
    person = Person(
        key=key,
        name=entry.text("name"),
        name_en=entry.text("name_en"),
        organisation=entry.reference("organisation", keys.organisations, "organisation"),
        role=entry.choice("role", PersonRole),
        service_tier=entry.number("service_tier", ServiceTier, (ServiceTier.TWO, ServiceTier.THREE)),
        channels=urls(entry, "channels"),
        password=entry.text("password") if entry.has("password") else None,
        password_hash=entry.text("password_hash", pattern=PASSWORD_HASH) if entry.has("password_hash") else None,
    )
    if person.password is not None and person.password_hash is not None:
        entry.problem("password_hash", "stands beside password; keep one of the two")
    if person.password is not None and len(person.password) < PASSWORD_CHARACTERS_MIN:
        entry.problem("password", f"is shorter than {PASSWORD_CHARACTERS_MIN} characters")
    entry.end()
    return person


def read_patient(key: str, entry: Entry, keys: Keys) -> Patient:
    """Read [patient.<key>]."""
    check_key(key, entry, KEY)
    doctor = entry.reference("family_doctor", keys.people, "person")
    if doctor in keys.people and doctor not in keys.family_doctors:
        entry.problem("family_doctor", f"{doctor!r} has another role than family_doctor")
    patient = Patient(
        key=key,
        name=entry.text("name"),
        initials=entry.text("initials"),
        bed=entry.text("bed", ""),
        born_on=entry.day("born_on"),
        sex=entry.choice("sex", Sex),
        organisation=entry.reference("organisation", keys.organisations, "organisation"),
        family_doctor=doctor,
        risk_colour=entry.choice("risk_colour", RiskColour),
        service_tier=entry.number("service_tier", ServiceTier, ServiceTier),
        special_groups=entry.choices("special_groups", SpecialGroup),
        household_phone=entry.text("household_phone", ""),
        household_channels=urls(entry, "household_channels"),
        underlying_disease=_optional(entry, "underlying_disease", UnderlyingDisease),
        vaccination=_optional(entry, "vaccination", Vaccination),
        team=entry.reference("team", keys.teams, "team") if entry.has("team") else None,
    )
    entry.end()
    return patient


def read_gateway(key: str, entry: Entry, keys: Keys) -> Gateway:
    """Read [gateway.<id>]."""
    check_key(key, entry, KEY)
    gateway = Gateway(
        key=key,
        organisation=entry.reference("organisation", keys.organisations, "organisation"),
        place=entry.text("place", ""),
    )
    entry.end()
    return gateway


def read_device(key: str, entry: Entry, keys: Keys) -> Device:
    """Read [device.<id on the wire>]."""
    check_key(key, entry, DEVICE_KEY)
    gateway = entry.reference("gateway", keys.gateways, "gateway") if entry.has("gateway") else None
    if gateway is not None and not is_bluetooth_address(key):
        entry.problem("gateway", f"reads devices by address, and {key!r} is none (AA:BB:CC:DD:EE:FF)")
    device = Device(
        key=key,
        kind=entry.choice("kind", DeviceKind),
        wellness=entry.flag("wellness", False),
        expected_every_s=entry.whole(
            "expected_every_s",
            1,
            EXPECTED_EVERY_S_MAX,
            else_do=f"rules that watch continuously need a sample every {EXPECTED_EVERY_S_MAX} s;"
            " leave it out for single measurements",
        ),
        gateway=gateway,
        shared=entry.flag("shared", False),
    )
    if device.shared and device.expected_every_s is not None:
        entry.problem("expected_every_s", "stands beside shared: who shares a device measures singly; leave it out")
    entry.end()
    return device


def read_binding(entry: Entry, keys: Keys) -> BindingInterval:
    """Read one [[binding]]."""
    since, until = entry.instant("from", optional=False), entry.instant("until", optional=True)
    if since and until and until <= since:
        entry.problem("until", f"{until.isoformat()} is not after from, {since.isoformat()}")
    binding = BindingInterval(
        device=entry.reference("device", keys.devices, "device"),
        patient=entry.reference("patient", keys.patients, "patient"),
        since=since or _STAND_IN,
        until=until,
    )
    entry.end()
    return binding


def read_duty(entry: Entry, keys: Keys) -> Duty:
    """Read one [[duty]]."""
    since, until = entry.instant("from", optional=True), entry.instant("until", optional=True)
    if since and until and until <= since:
        entry.problem("until", f"{until.isoformat()} is not after from, {since.isoformat()}")
    duty = Duty(
        organisation=entry.reference("organisation", keys.organisations, "organisation"),
        duty_role=entry.choice("role", DutyRole),
        person=entry.reference("person", keys.people, "person"),
        since=since,
        until=until,
    )
    entry.end()
    return duty


def _optional(entry: Entry, name: str, kind: type[_Choice]) -> _Choice | None:
    return entry.choice(name, kind) if entry.has(name) else None


def check_key(key: str, entry: Entry, pattern: str) -> None:
    """Note a key that is not of the form."""
    if not re.fullmatch(pattern, key):
        entry.complain(f"the key {key!r} is not of the form {pattern}")


def urls(entry: Entry, name: str) -> tuple[str, ...]:
    """Read a list of apprise addresses."""
    found = entry.texts(name)
    for url in found:
        if not re.match(r"[a-z][a-z0-9+.-]*://.", url):
            entry.problem(name, f"{url!r} is no channel; write an apprise address like json://host/path")
    return found


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder, or too long for a file
        return False
    return True
