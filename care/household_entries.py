"""Reads the entries of a registry file about who is around a patient: contacts, consents, teams, kits (core)."""

from datetime import UTC, datetime

from care.consent import Consent, GivenBy, Purpose
from care.contacts import Contact, Relation
from care.kit import Kit
from care.reading import Entry
from care.registry_entries import KEY, Keys, check_key, urls
from care.team import Team

HELPERS_MAX, KIT_DEVICES_MAX = 50, 20
_STAND_IN = datetime(1900, 1, 1, tzinfo=UTC)


def read_contact(entry: Entry, keys: Keys) -> Contact:
    """Read one [[contact]]; a patient's stand in the order in which they are asked."""
    contact = Contact(
        patient=entry.reference("patient", keys.patients, "patient"),
        name=entry.text("name"),
        relation=entry.choice("relation", Relation),
        phone=entry.text("phone"),
        channels=urls(entry, "channels"),
        may_be_told=entry.flag("may_be_told", False),
        lives_with=entry.flag("lives_with", False),
    )
    entry.end()
    return contact


def read_consent(entry: Entry, keys: Keys) -> Consent:
    """Read one [[consent]]."""
    consent = Consent(
        patient=entry.reference("patient", keys.patients, "patient"),
        purpose=entry.choice("purpose", Purpose),
        version=entry.text("version"),
        given=entry.flag("given", True),
        given_by=entry.choice("given_by", GivenBy),
        guardian=entry.text("guardian", ""),
        at=entry.instant("at", optional=False) or _STAND_IN,
    )
    entry.end()
    return consent


def read_team(key: str, entry: Entry, keys: Keys) -> Team:
    """Read [team.<key>]."""
    check_key(key, entry, KEY)
    doctor = entry.reference("family_doctor", keys.people, "person")
    if doctor in keys.people and doctor not in keys.family_doctors:
        entry.problem("family_doctor", f"{doctor!r} has another role than family_doctor")
    team = Team(
        key=key,
        name=entry.text("name"),
        organisation=entry.reference("organisation", keys.organisations, "organisation"),
        family_doctor=doctor,
        nurse=entry.reference("nurse", keys.people, "person"),
        village_doctor=entry.reference("village_doctor", keys.people, "person"),
        helper_people=entry.texts("helper_people"),
        helpers=entry.texts("helpers"),
    )
    for person in team.helper_people:
        if person not in keys.helpers:
            entry.problem(
                "helper_people", f"{person!r} is nobody with the role helper: enter him, or name him in helpers"
            )
    for name, members in (("helper_people", team.helper_people), ("helpers", team.helpers)):
        for helper in sorted({each for each in members if members.count(each) > 1}):
            entry.problem(name, f"{helper!r} stands there twice")
        if len(members) > HELPERS_MAX:
            entry.problem(name, f"are {len(members)}, at most {HELPERS_MAX}: make two teams of it")
    entry.end()
    return team


def read_kit(key: str, entry: Entry, keys: Keys) -> Kit:
    """Read [kit.<key>]."""
    check_key(key, entry, KEY)
    devices = entry.texts("devices")
    for device in devices:
        if device not in keys.devices:
            entry.problem("devices", f"{device!r} is no device of this file")
    if not 1 <= len(devices) <= KIT_DEVICES_MAX:
        entry.problem("devices", f"are {len(devices)}; a kit has 1 to {KIT_DEVICES_MAX}")
    kit = Kit(
        key=key,
        organisation=entry.reference("organisation", keys.organisations, "organisation"),
        gateway=entry.reference("gateway", keys.gateways, "gateway") if entry.has("gateway") else None,
        devices=devices,
    )
    entry.end()
    return kit
