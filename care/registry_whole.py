"""Checks of a registry file that no entry can make alone (core)."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from zoneinfo import ZoneInfo

from care import consent
from care.claims import CLAIMS_MAX
from care.consent import ConsentRefused
from care.contacts import CONTACTS_MAX
from care.reading import Problems
from care.registry import BindingInterval, Organisation, Patient, Registry


def check_whole(registry: Registry, problems: Problems) -> None:
    """Note what does not fit together."""
    for each in _CHECKS:
        each(registry, problems)


def check_overlaps(bindings: Sequence[BindingInterval], problems: Problems) -> None:
    """Note devices that two people wear at a time."""
    of_device: dict[str, list[BindingInterval]] = {}
    for index, later in enumerate(bindings):
        for earlier in of_device.setdefault(later.device, []):
            if _overlap(earlier, later):
                problems.add(
                    ("binding", index, "from"),
                    f"{later.device} is bound to {earlier.patient!r} at that time too;"
                    f" give the earlier binding an until, or begin this one later than {later.since.isoformat()}",
                )
        of_device[later.device].append(later)


def check_shared(bindings: Iterable[BindingInterval], shared: frozenset[str], problems: Problems) -> None:
    """Note bindings of devices that are shared."""
    for index, binding in enumerate(bindings):
        if binding.device in shared:
            problems.add(
                ("binding", index, "device"),
                f"{binding.device} is shared: who uses it is said in the console for each measurement; take this out",
            )


def check_teams(patients: Iterable[Patient], doctor_of: dict[str, str], problems: Problems) -> None:
    """Note patients whose family doctor is not their team's; `doctor_of` gives each team's."""
    for patient in patients:
        doctor = None if patient.team is None else doctor_of.get(patient.team)
        if doctor is not None and doctor != patient.family_doctor:
            problems.add(
                ("patient", patient.key, "team"),
                f"{patient.team!r} has the family doctor {doctor!r}, the patient has {patient.family_doctor!r}",
            )


def _check_parents(registry: Registry, problems: Problems) -> None:
    organisations: Sequence[Organisation] = registry.organisations
    parent = {organisation.key: organisation.parent for organisation in organisations}
    for key in parent:
        above, seen = parent[key], {key}
        while above is not None and above not in seen:
            seen.add(above)
            above = parent[above]
        if above == key:
            problems.add(("organisation", key, "parent"), f"{parent[key]!r} lies below {key!r} itself: a circle")


def _check_bindings(registry: Registry, problems: Problems) -> None:
    check_overlaps(registry.bindings, problems)
    check_shared(registry.bindings, frozenset(each.key for each in registry.devices if each.shared), problems)


def _check_crowds(registry: Registry, problems: Problems) -> None:
    for gateway, count in Counter(device.gateway for device in registry.devices).items():
        if gateway is not None and count > CLAIMS_MAX:
            problems.add(("gateway", gateway), f"is to read {count} devices, at most {CLAIMS_MAX}")


def _check_routes(registry: Registry, problems: Problems) -> None:
    role_of = {organisation.key: organisation.facility_role for organisation in registry.organisations}
    seen: dict[tuple[str, str, object], int] = {}
    for index, route in enumerate(registry.routes):
        if role_of[route.facility] is not route.facility_role:
            problems.add(("route", index, "to"), f"{route.facility!r} is a {role_of[route.facility]}")
        for what in (route.place, route.facility):
            first = seen.setdefault((route.organisation, route.facility_role, what), index)
            if first != index:
                problems.add(
                    ("route", index, "to" if what == route.facility else "place"),
                    f"{what!r} stands already in the list of {route.organisation!r} for {route.facility_role}",
                )


def _check_teams(registry: Registry, problems: Problems) -> None:
    check_teams(registry.patients, {team.key: team.family_doctor for team in registry.teams}, problems)


def _check_contacts(registry: Registry, problems: Problems) -> None:
    for patient, count in Counter(contact.patient for contact in registry.contacts).items():
        if count > CONTACTS_MAX:
            problems.add(("patient", patient), f"has {count} contacts, at most {CONTACTS_MAX}")


def _check_consents(registry: Registry, problems: Problems) -> None:
    patients = {patient.key: patient for patient in registry.patients}
    zones = {each.key: each.time_zone for each in registry.organisations}
    for index, each in enumerate(registry.consents):
        patient = patients[each.patient]
        day = each.at.astimezone(ZoneInfo(zones[patient.organisation])).date()
        try:
            consent.check(each, born_on=patient.born_on, on=day)
        except ConsentRefused as exc:
            problems.add(("consent", index, "given_by"), str(exc))


def _check_kits(registry: Registry, problems: Problems) -> None:
    shared = {each.key for each in registry.devices if each.shared}
    seen: dict[str, str] = {}
    for kit in registry.kits:
        for what in (*kit.devices, *([kit.gateway] if kit.gateway else [])):
            first = seen.setdefault(what, kit.key)
            if first != kit.key or kit.devices.count(what) > 1:
                problems.add(("kit", kit.key, "devices"), f"{what!r} is in the kit {first!r} already")
            if what in shared:
                problems.add(("kit", kit.key, "devices"), f"{what!r} is shared, and can not be lent to one patient")


_CHECKS: tuple[Callable[[Registry, Problems], None], ...] = (
    _check_parents,
    _check_bindings,
    _check_crowds,
    _check_routes,
    _check_teams,
    _check_contacts,
    _check_consents,
    _check_kits,
)


def _overlap(one: BindingInterval, other: BindingInterval) -> bool:
    return (one.until is None or other.since < one.until) and (other.until is None or one.since < other.until)
