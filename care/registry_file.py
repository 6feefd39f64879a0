"""The registry as one readable TOML file (care/examples/county.toml), parsed strictly; all errors at once, by line."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from care.household_entries import read_consent, read_contact, read_kit, read_team
from care.reading import Entry, Problem, Problems
from care.registry import PersonRole, Registry
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
from care.registry_whole import check_whole
from care.toml_lines import lines_of

_TABLES = ("organisation", "person", "patient", "gateway", "device", "team", "kit")
_LISTS = ("binding", "duty", "route", "contact", "consent")


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
        check_whole(registry, problems)
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
        teams=frozenset(tables["team"]),
        family_doctors=_people_who_are(PersonRole.FAMILY_DOCTOR, document, tables),
        helpers=_people_who_are(PersonRole.HELPER, document, tables),
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
        teams=tuple(read_team(key, entry, keys) for key, entry in tables["team"].items()),
        contacts=tuple(read_contact(entry, keys) for entry in lists["contact"]),
        consents=tuple(read_consent(entry, keys) for entry in lists["consent"]),
        kits=tuple(read_kit(key, entry, keys) for key, entry in tables["kit"].items()),
    )


def _people_who_are(role: PersonRole, document: Mapping[str, Any], tables: Mapping[str, Any]) -> frozenset[str]:
    people = document.get("person", {}).items() if tables["person"] else ()
    return frozenset(key for key, entry in people if isinstance(entry, dict) and entry.get("role") == role)


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


def _line_in(message: str) -> int:
    found = re.search(r"at line (\d+)", message)
    return int(found[1]) if found else 1
