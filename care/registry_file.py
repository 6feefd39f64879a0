"""The registry as one readable TOML file (care/examples/county.toml), parsed strictly; all errors at once, by line."""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from care.claims import CLAIMS_MAX
from care.reading import Entry, Problem, Problems
from care.registry import BindingInterval, Organisation, PersonRole, Registry
from care.registry_entries import (
    Keys,
    read_binding,
    read_device,
    read_duty,
    read_gateway,
    read_organisation,
    read_patient,
    read_person,
    read_route,
)
from care.toml_lines import lines_of

_TABLES = ("organisation", "person", "patient", "gateway", "device")
_LISTS = ("binding", "duty", "route")


class RegistryFileError(ValueError):
    """A registry file is wrong; `problems` names every line, field and offending value."""

    def __init__(self, source: str, problems: list[Problem]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.problems = problems


def parse_registry(text: str, source: str) -> Registry:
    """Read a registry file's text. Raises RegistryFileError with everything that is wrong with it."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        problem = Problem(line=_line_in(str(exc)), field="file", message=f"is no TOML: {exc}")
        raise RegistryFileError(source, [problem]) from exc
    problems = Problems(lines_of(text))
    registry = _read(document, problems)
    if not problems.found:
        _check_whole(registry, problems)
    if problems.found:
        raise RegistryFileError(source, sorted(problems.found))
    return registry


def _read(document: Mapping[str, Any], problems: Problems) -> Registry:
    for name in document:
        if name not in _TABLES + _LISTS:
            problems.add((name,), f"is no table here; there are {', '.join(_TABLES + _LISTS)}")
    tables = {name: _tables(document, name, problems) for name in _TABLES}
    lists = {name: _list(document, name, problems) for name in _LISTS}
    keys = Keys(
        organisations=frozenset(tables["organisation"]),
        people=frozenset(tables["person"]),
        patients=frozenset(tables["patient"]),
        gateways=frozenset(tables["gateway"]),
        devices=frozenset(tables["device"]),
        family_doctors=frozenset(
            key
            for key, entry in (document.get("person", {}).items() if tables["person"] else ())
            if isinstance(entry, dict) and entry.get("role") == PersonRole.FAMILY_DOCTOR
        ),
    )
    return Registry(
        organisations=tuple(read_organisation(key, entry, keys) for key, entry in tables["organisation"].items()),
        people=tuple(read_person(key, entry, keys) for key, entry in tables["person"].items()),
        patients=tuple(read_patient(key, entry, keys) for key, entry in tables["patient"].items()),
        gateways=tuple(read_gateway(key, entry, keys) for key, entry in tables["gateway"].items()),
        devices=tuple(read_device(key, entry, keys) for key, entry in tables["device"].items()),
        bindings=tuple(read_binding(entry, keys) for entry in lists["binding"]),
        duties=tuple(read_duty(entry, keys) for entry in lists["duty"]),
        routes=tuple(read_route(entry, keys) for entry in lists["route"]),
    )


def _tables(document: Mapping[str, Any], name: str, problems: Problems) -> dict[str, Entry]:
    found = document.get(name, {})
    if not isinstance(found, dict):
        problems.add((name,), f"must be tables with keys: write [{name}.some-key]")
        return {}
    entries: dict[str, Entry] = {}
    for key, table in found.items():
        if isinstance(table, dict):
            entries[key] = Entry((name, key), table, problems)
        else:
            problems.add((name, key), f"must be a table: write [{name}.some-key]")
    return entries


def _list(document: Mapping[str, Any], name: str, problems: Problems) -> list[Entry]:
    found = document.get(name, [])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        problems.add((name,), f"must be a list of tables: write [[{name}]]")
        return []
    return [Entry((name, index), table, problems) for index, table in enumerate(found)]


def _check_whole(registry: Registry, problems: Problems) -> None:
    """Check what no entry can know alone."""
    _check_parents(registry.organisations, problems)
    _check_overlaps(registry.bindings, problems)
    _check_crowds(registry, problems)
    _check_routes(registry, problems)


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


def _check_parents(organisations: Sequence[Organisation], problems: Problems) -> None:
    parent = {organisation.key: organisation.parent for organisation in organisations}
    for key in parent:
        above, seen = parent[key], {key}
        while above is not None and above not in seen:
            seen.add(above)
            above = parent[above]
        if above == key:
            problems.add(("organisation", key, "parent"), f"{parent[key]!r} lies below {key!r} itself: a circle")


def _check_overlaps(bindings: Sequence[BindingInterval], problems: Problems) -> None:
    for index, later in enumerate(bindings):
        for earlier in bindings[:index]:
            if later.device == earlier.device and _overlap(earlier, later):
                problems.add(
                    ("binding", index, "from"),
                    f"{later.device} is bound to {earlier.patient!r} at that time too;"
                    f" give the earlier binding an until, or begin this one later than {later.since.isoformat()}",
                )


def _check_crowds(registry: Registry, problems: Problems) -> None:
    for gateway, count in Counter(device.gateway for device in registry.devices).items():
        if gateway is not None and count > CLAIMS_MAX:
            problems.add(("gateway", gateway), f"is to read {count} devices, at most {CLAIMS_MAX}")


def _overlap(one: BindingInterval, other: BindingInterval) -> bool:
    return (one.until is None or other.since < one.until) and (other.until is None or one.since < other.until)


def _line_in(message: str) -> int:
    found = re.search(r"at line (\d+)", message)
    return int(found[1]) if found else 1
