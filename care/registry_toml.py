"""Writes a registry as the TOML file that reads back to the same (core)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import date
from typing import Any

from care.registry import Registry

_TABLES = {
    "organisation": "organisations",
    "person": "people",
    "team": "teams",
    "patient": "patients",
    "gateway": "gateways",
    "device": "devices",
    "kit": "kits",
}
_LISTS = {"binding": "bindings", "duty": "duties", "route": "routes", "contact": "contacts", "consent": "consents"}
_NAMES: dict[str, Mapping[str, str]] = {
    "binding": {"since": "from"},
    "duty": {"since": "from", "duty_role": "role"},
    "route": {"facility_role": "role", "facility": "to"},
}


def render(registry: Registry) -> str:
    """Give the text of the file; what is empty or unknown is left out."""
    parts = [
        f"[{table}.{json.dumps(entry.key, ensure_ascii=False)}]\n{_fields(entry, {'key': ''})}"
        for table, name in _TABLES.items()
        for entry in getattr(registry, name)
    ]
    parts += [
        f"[[{table}]]\n{_fields(entry, _NAMES.get(table, {}))}"
        for table, name in _LISTS.items()
        for entry in getattr(registry, name)
    ]
    return "\n".join(parts)


def _fields(entry: Any, names: Mapping[str, str]) -> str:
    lines: list[str] = []
    for field in fields(entry):
        value, name = getattr(entry, field.name), names.get(field.name, field.name)
        if name and value is not None and value not in ("", ()):
            lines.append(f"{name} = {_value(value)}\n")
    return "".join(lines)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return _list(value)
    if isinstance(value, int):
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else json.dumps(str(value), ensure_ascii=False)


def _list(items: Iterable[object]) -> str:
    return f"[{', '.join(_value(item) for item in items)}]"
