"""Reads the keys of a profile's tables, strictly: nothing missing, of the wrong type, or without a source."""

from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from typing import Any, TypeVar

from vitals.reading import ScaleError, is_plausible, scaled
from vitals.signals import SIGNALS, Signal

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

Table = Mapping[str, Any]

UNSOURCED = frozenset(
    {
        "after_activity",
        "and_group",
        "approved_by",
        "confirm",
        "family",
        "group",
        "on_oxygen",
        "reached_before",
        "rules",
        "signal",
    }
    | {"trust"}
)
"""Keys that say what a row is about, and decide no number: they need no source."""


class ProfileError(ValueError):
    """A clinical profile can not be used; the message names the table, the key and the offending value."""


def tables_of(document: Table, kind: str) -> dict[str, dict[str, Any]]:
    """Give the tables of a kind by name, each without its sources, which were checked."""
    return {name: sourced(f"{kind}.{name}", table) for name, table in get(document, "profile", kind, dict).items()}


def sourced(where: str, table: Any, *, inner: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Give a table without its sources; each number has one and each source a number. `inner` are tables in it."""
    if not isinstance(table, dict):
        raise ProfileError(f"{where}: {table!r} is not a table")
    judged = table.keys() - UNSOURCED - inner - {"source"}
    source = table.get("source", {} if not judged else None)
    if not isinstance(source, dict):
        raise ProfileError(f"{where}: no table [{where}.source]; every value needs one")
    if missing := judged - source.keys():
        raise ProfileError(f"{where}: no source for {', '.join(sorted(missing))} (or the key is misspelt)")
    if stray := source.keys() - judged:
        raise ProfileError(f"{where}.source: names {', '.join(sorted(stray))}, which has no value")
    for key, said in source.items():
        if not isinstance(said, str) or not said.strip():
            raise ProfileError(f"{where}.source: {key} = {said!r} names no source")
    return {key: value for key, value in table.items() if key != "source"}


def only(where: str, table: Table, known: frozenset[str], *, because: str = "") -> None:
    """Refuse keys that a table does not have."""
    if unknown := table.keys() - known:
        raise ProfileError(f"{where}: unknown key {', '.join(sorted(unknown))}{because}")


def get(table: Table, where: str, key: str, kind: type | tuple[type, ...]) -> Any:
    """Read a key that has to be there, of this type."""
    if key not in table:
        raise ProfileError(f"{where}: {key} is missing")
    value = table[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ProfileError(f"{where}: {key} = {value!r} is of the wrong type")
    return value


def count(table: Table, where: str, key: str, most: int = 10**9) -> int:
    """Read a whole number from 0 to `most`."""
    value = int(get(table, where, key, int))
    if not 0 <= value <= most:
        raise ProfileError(f"{where}: {key} = {value}, not within 0 to {most}")
    return value


def millis(table: Table, where: str, key: str) -> int:
    """Read seconds as milliseconds."""
    return count(table, where, key) * 1000


def choice(table: Table, where: str, key: str, kind: type[E]) -> E:
    """Read one word of an enumeration."""
    name = get(table, where, key, str)
    if name not in set(kind):
        raise ProfileError(f"{where}: {key} = {name!r}, not one of {', '.join(kind)}")
    return kind(name)


def signal_of(table: Table, where: str) -> Signal:
    """Read which signal a row is about."""
    name = get(table, where, "signal", str)
    if name not in set(Signal):
        raise ProfileError(f"{where}: signal = {name!r} is not a signal")
    return Signal(name)


def level(table: Table, where: str, key: str, signal: Signal) -> int:
    """Read a value of a signal, scaled; it has to be one that a device can show."""
    value = get(table, where, key, (int, float))
    try:
        number = scaled(signal, float(value))
    except ScaleError as exc:
        raise ProfileError(f"{where}: {key}: {exc}") from exc
    if not is_plausible(signal, number):
        low, high = SIGNALS[signal].plausible
        raise ProfileError(f"{where}: {key} = {value}, not within {signal}'s {low:g} to {high:g}")
    return number


def difference(table: Table, where: str, key: str, signal: Signal) -> int:
    """Read a difference of two values of a signal, scaled."""
    value = float(get(table, where, key, (int, float)))
    number = round(value * SIGNALS[signal].scale)
    low, high = SIGNALS[signal].plausible
    if not 0 < number <= (high - low) * SIGNALS[signal].scale:
        raise ProfileError(f"{where}: {key} = {value:g} is no difference of two values of {signal}")
    return number


def counts(kind: type[T], where: str, table: Table) -> T:
    """Make a value all of whose fields are whole numbers with the table's keys."""
    names = frozenset(field.name for field in fields(kind))  # type: ignore[arg-type]
    only(where, table, names)
    return kind(**{name: count(table, where, name) for name in names})
