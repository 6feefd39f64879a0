"""Reads a clinical profile from TOML, strictly: nothing unknown, nothing missing, no number without a source."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from importlib.resources import files
from typing import Any, TypeVar

from alerting.profile.profile import (
    Channel,
    Confirm,
    Consequence,
    FeverRule,
    Priority,
    Profile,
    RepeatRule,
    Silence,
    Timers,
    Trust,
    no_data_rule,
)
from alerting.profile.technical import parse_technical
from vitals.reading import ScaleError, scaled
from vitals.signals import Signal
from vitals.sustained import Limit, RuleError, SustainedRule

T = TypeVar("T")


class ProfileError(ValueError):
    """A clinical profile can not be used; the message names the table, the key and the offending value."""


def standard_adult() -> str:
    """Give the text of the profile that ships with the product."""
    return files("alerting.profile").joinpath("standard_adult.toml").read_text(encoding="utf-8")


def parse_profile(body: str) -> Profile:
    """Read a profile. Raises ProfileError on anything unknown, missing, out of range or without a source."""
    try:
        document = tomllib.loads(body)
    except tomllib.TOMLDecodeError as exc:
        raise ProfileError(f"not TOML: {exc}") from exc
    known = {"name", "version", "approved_by", "effective_from", "sustained", "repeat", "fever", "silence", "timers"}
    known |= {"technical"}
    if unknown := document.keys() - known:
        raise ProfileError(f"unknown table or key: {', '.join(sorted(unknown))}")
    tables = {kind: _tables(document, kind) for kind in ("sustained", "repeat", "fever")}
    consequences: dict[str, Consequence] = {}
    for kind, rules in tables.items():
        for rule, table in rules.items():
            found = _consequence(f"{kind}.{rule}", rule, table)
            if consequences.setdefault(rule, found) != found:
                raise ProfileError(f"{kind}.{rule}: family, priority or tier differ from the same rule elsewhere")
    for priority in (Priority.LOW, Priority.MEDIUM):
        key = no_data_rule(priority)
        consequences[key] = Consequence(
            rule=key, family="no_data", priority=priority, emergency=False, tier3=False, technical=True
        )
    technical = parse_technical(document, ProfileError)
    consequences |= technical.consequences
    _get(document, "profile", "approved_by", str)
    return Profile(
        effective_from=_get(document, "profile", "effective_from", date),
        name=str(_get(document, "profile", "name", str)),
        version=int(_get(document, "profile", "version", int)),
        profile_hash=hashlib.sha256(body.encode()).hexdigest(),
        body=body,
        sustained=_sustained(tables["sustained"]),
        repeat=tuple(_repeat(rule, table) for rule, table in tables["repeat"].items()),
        fever=tuple(_fever(rule, table) for rule, table in tables["fever"].items()),
        silence=_flat(Silence, "silence", _sourced("silence", _get(document, "profile", "silence", dict))),
        timers={p: _timers(p, _get(document, "profile", "timers", dict)) for p in Priority},
        consequences=consequences,
        technical=technical,
    )


def _tables(document: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    rules = _get(document, "profile", kind, dict)
    return {rule: _sourced(f"{kind}.{rule}", table) for rule, table in rules.items()}


def _sourced(where: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise ProfileError(f"{where}: {table!r} is not a table")
    source = table.get("source")
    if not isinstance(source, dict):
        raise ProfileError(f"{where}: no table [{where}.source]; every value needs one")
    values = {key: value for key, value in table.items() if key != "source"}
    judged = values.keys() - {"family", "signal", "trust", "confirm"}
    if missing := judged - source.keys():
        raise ProfileError(f"{where}: no source for {', '.join(sorted(missing))} (or the key is misspelt)")
    if stray := source.keys() - judged:
        raise ProfileError(f"{where}.source: names {', '.join(sorted(stray))}, which has no value")
    return values


def _get(table: Mapping[str, Any], where: str, key: str, kind: type | tuple[type, ...]) -> Any:
    if key not in table:
        raise ProfileError(f"{where}: {key} is missing")
    value = table[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ProfileError(f"{where}: {key} = {value!r} is of the wrong type")
    return value


def _count(table: Mapping[str, Any], where: str, key: str, most: int = 10**9) -> int:
    value = int(_get(table, where, key, int))
    if not 0 <= value <= most:
        raise ProfileError(f"{where}: {key} = {value}, not within 0 to {most}")
    return value


def _only(where: str, table: Mapping[str, Any], known: set[str]) -> None:
    if unknown := table.keys() - known - {"family", "priority", "special_priority", "emergency", "tier3"}:
        raise ProfileError(f"{where}: unknown key {', '.join(sorted(unknown))}")


def _consequence(where: str, rule: str, table: Mapping[str, Any]) -> Consequence:
    return Consequence(
        rule=rule,
        family=_get(table, where, "family", str),
        priority=_priority(where, table, "priority"),
        emergency=_get(table, where, "emergency", bool),
        tier3=_get(table, where, "tier3", bool),
        special_priority=_priority(where, table, "special_priority") if "special_priority" in table else None,
    )


def _priority(where: str, table: Mapping[str, Any], key: str) -> Priority:
    name = _get(table, where, key, str)
    if name not in set(Priority):
        raise ProfileError(f"{where}: {key} = {name!r}, not one of {', '.join(Priority)}")
    return Priority(name)


def _limit(where: str, table: Mapping[str, Any], signal: Signal) -> tuple[bool, int]:
    """Read the one limit of a rule as (low is dangerous, exclusive scaled limit)."""
    forms = {"below": (True, 0), "at_or_below": (True, 1), "above": (False, 0), "at_or_above": (False, -1)}
    given = [form for form in forms if form in table]
    if len(given) != 1:
        raise ProfileError(f"{where}: needs exactly one of {', '.join(forms)}; has {', '.join(given) or 'none'}")
    low, shift = forms[given[0]]
    return low, _level(where, table, given[0], signal) + shift


def _level(where: str, table: Mapping[str, Any], key: str, signal: Signal) -> int:
    try:
        return scaled(signal, float(_get(table, where, key, (int, float))))
    except ScaleError as exc:
        raise ProfileError(f"{where}: {key}: {exc}") from exc


def _signal(where: str, table: Mapping[str, Any]) -> Signal:
    name = _get(table, where, "signal", str)
    if name not in set(Signal):
        raise ProfileError(f"{where}: signal = {name!r} is not a signal")
    return Signal(name)


def _sustained(tables: Mapping[str, dict[str, Any]]) -> dict[Channel, tuple[SustainedRule, ...]]:
    channels: dict[Channel, tuple[SustainedRule, ...]] = {}
    for rule, table in tables.items():
        channel, made = _sustained_rule(rule, table)
        channels[channel] = (*channels.get(channel, ()), made)
    return channels


def _sustained_rule(rule: str, table: dict[str, Any]) -> tuple[Channel, SustainedRule]:
    where = f"sustained.{rule}"
    timing = {"window_s", "share_percent", "coverage_percent", "building_s", "clear_s", "clear_gap_s"}
    _only(where, table, timing | {"signal", "trust", "below", "at_or_below", "above", "at_or_above", "clear_at"})
    signal = _signal(where, table)
    low, breach = _limit(where, table, signal)
    clear_at = _level(where, table, "clear_at", signal)
    if clear_at < breach if low else clear_at > breach:
        raise ProfileError(f"{where}: clear_at = {table['clear_at']} lies inside the limit")
    trust = table.get("trust", Trust.GOOD)
    if trust not in set(Trust):
        raise ProfileError(f"{where}: trust = {trust!r}, not one of {', '.join(Trust)}")
    try:
        made = SustainedRule(
            rule=rule,
            low=low,
            limit=Limit(breach=breach, clear_at=clear_at),
            window_ms=_count(table, where, "window_s") * 1000,
            share_percent=_count(table, where, "share_percent", 100),
            coverage_percent=_count(table, where, "coverage_percent", 100),
            building_ms=_count(table, where, "building_s") * 1000,
            clear_ms=_count(table, where, "clear_s") * 1000,
            clear_gap_ms=_count(table, where, "clear_gap_s") * 1000,
        )
    except RuleError as exc:
        raise ProfileError(f"{where}: {exc}") from exc
    return Channel(signal=signal, trust=Trust(trust)), made


def _repeat(rule: str, table: dict[str, Any]) -> RepeatRule:
    where = f"repeat.{rule}"
    limits = {"below", "at_or_below", "above", "at_or_above", "clear_at"}
    _only(where, table, limits | {"signal", "repeat_from_s", "repeat_until_s", "clear_repeats", "confirm"})
    signal = _signal(where, table)
    low, limit = _limit(where, table, signal)
    start, end = _count(table, where, "repeat_from_s"), _count(table, where, "repeat_until_s")
    if start >= end:
        raise ProfileError(f"{where}: repeat_from_s = {start} is not before repeat_until_s = {end}")
    return RepeatRule(
        rule=rule,
        signal=signal,
        low=low,
        limit=limit,
        repeat_from_ms=start * 1000,
        repeat_until_ms=end * 1000,
        clear_at=_level(where, table, "clear_at", signal),
        clear_repeats=_count(table, where, "clear_repeats", 100),
        confirm=_confirm(where, table),
    )


def _confirm(where: str, table: Mapping[str, Any]) -> Confirm:
    name = table.get("confirm", Confirm.REPEAT)
    if name not in set(Confirm):
        raise ProfileError(f"{where}: confirm = {name!r}, not one of {', '.join(Confirm)}")
    return Confirm(name)


def _fever(rule: str, table: dict[str, Any]) -> FeverRule:
    where = f"fever.{rule}"
    _only(where, table, {"above", "longer_than_s", "block_s", "clear_at", "clear_s"})
    return FeverRule(
        rule=rule,
        above=_level(where, table, "above", Signal.TEMPERATURE),
        longer_than_ms=_count(table, where, "longer_than_s") * 1000,
        block_ms=_count(table, where, "block_s") * 1000,
        clear_at=_level(where, table, "clear_at", Signal.TEMPERATURE),
        clear_ms=_count(table, where, "clear_s") * 1000,
    )


def _timers(priority: Priority, tables: Mapping[str, Any]) -> Timers:
    where = f"timers.{priority}"
    timers = _flat(Timers, where, _sourced(where, _get(tables, "timers", priority.value, dict)))
    if not 0 < timers.duty_s < timers.tier3_s < timers.exhausted_s:
        raise ProfileError(f"{where}: duty_s, tier3_s and exhausted_s must grow")
    return timers


def _flat(kind: type[T], where: str, table: Mapping[str, Any]) -> T:
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := table.keys() - names:
        raise ProfileError(f"{where}: unknown key {', '.join(sorted(unknown))}")
    return kind(**{name: _count(table, where, name) for name in names})
