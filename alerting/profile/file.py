"""Reads a clinical profile from TOML, strictly: nothing unknown, nothing missing, no number without a source."""

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from importlib.resources import files
from typing import Any

from alerting.profile.consequences import SILENCE, consequence, refuse_reported
from alerting.profile.fever import fever_rule
from alerting.profile.limits import limit_row
from alerting.profile.news2 import news2_rule
from alerting.profile.orders import order_rule
from alerting.profile.profile import Consequence, LimitRow, Priority, Profile, Silence, Timers
from alerting.profile.repeat import repeat_rule
from alerting.profile.sessions import activity_rule, baseline_rule, session_rule
from alerting.profile.sustained import sustained_rules
from alerting.profile.tables import ProfileError as ProfileError
from alerting.profile.tables import count, counts, get, signal_of, sourced, tables_of
from alerting.profile.tags import tag
from alerting.profile.technical import parse_technical
from alerting.profile.variants import refuse_hiding, variants_of
from vitals.signals import Signal

LIMITED = ("sustained", "repeat", "fever")
"""Kinds of rules that have a limit; a rule id may be judged in several of them, with one limit and one urgency."""

REPORTED = "reported"
"""The kind of rules that a person raises: no measurement does."""

KINDS = (*LIMITED, "news2", REPORTED)
TABLES = frozenset(KINDS) | {
    "tag",
    "variant",
    "altitude",
    "sessions",
    "activity",
    "baseline",
    "orders",
    "silence",
    "technical",
    "timers",
}
KEYS = TABLES | {"name", "version", "approved_by", "effective_from"}


def standard_adult() -> str:
    """Give the text of the profile that ships with the product: the standard patient, then the variants."""
    room = files("alerting.profile")
    return "\n".join(
        room.joinpath(name).read_text(encoding="utf-8") for name in ("standard_adult.toml", "variants.toml")
    )


@lru_cache(maxsize=16)  # a human act reads the profile of its episode again: 65 ms each
def parse_profile(body: str) -> Profile:
    """Read a profile. Raises ProfileError on anything unknown, missing, out of range or without a source."""
    try:
        document = tomllib.loads(body)
    except tomllib.TOMLDecodeError as exc:
        raise ProfileError(f"not TOML: {exc}") from exc
    if unknown := document.keys() - KEYS:
        raise ProfileError(f"unknown table or key: {', '.join(sorted(unknown))}")
    tables = {kind: tables_of(document, kind) for kind in KINDS}
    limits, consequences = _limits(tables), _consequences(tables)
    refuse_reported(tables[REPORTED], consequences)
    technical = parse_technical(document, ProfileError)
    consequences |= technical.consequences
    get(document, "profile", "approved_by", str)
    profile = Profile(
        effective_from=get(document, "profile", "effective_from", date),
        name=get(document, "profile", "name", str),
        version=get(document, "profile", "version", int),
        profile_hash=hashlib.sha256(body.encode()).hexdigest(),
        body=body,
        sustained=sustained_rules(tables["sustained"], limits),
        repeat=tuple(repeat_rule(table, limits[rule]) for rule, table in tables["repeat"].items()),
        fever=tuple(fever_rule(table, limits[rule]) for rule, table in tables["fever"].items()),
        news2=tuple(news2_rule(rule, table) for rule, table in tables["news2"].items()),
        reported=tuple(tables[REPORTED]),
        sessions=session_rule(_table(document, "sessions")),
        activity=activity_rule(_table(document, "activity")),
        baseline=baseline_rule(_table(document, "baseline")),
        orders=order_rule(_table(document, "orders"), limits.values()),
        tags=tuple(tag(name, table) for name, table in tables_of(document, "tag").items()),
        limits=limits,
        variants=variants_of(get(document, "profile", "variant", dict), limits, consequences),
        own_altitude_from_m=count(_table(document, "altitude"), "altitude", "own_variant_from_m"),
        silence=counts(Silence, "silence", _table(document, "silence")),
        timers={priority: _timers(priority, get(document, "profile", "timers", dict)) for priority in Priority},
        consequences=consequences,
        technical=technical,
    )
    refuse_hiding(profile)
    return profile


def _table(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    return sourced(name, get(document, "profile", name, dict))


def _limits(tables: Mapping[str, Mapping[str, dict[str, Any]]]) -> dict[str, LimitRow]:
    limits: dict[str, LimitRow] = {}
    for kind in LIMITED:
        for rule, table in tables[kind].items():
            where = f"{kind}.{rule}"
            signal = Signal.TEMPERATURE if kind == "fever" else signal_of(table, where)
            found = limit_row(where, rule, table, signal)
            if limits.setdefault(rule, found) != found:
                raise ProfileError(
                    f"{where}: limit, clear_at, holds or reached_before differ from the same rule elsewhere"
                )
    for row in limits.values():
        _refuse_endless(row, limits)
    return limits


def _refuse_endless(row: LimitRow, limits: Mapping[str, LimitRow]) -> None:
    """Limits reached before others end with one that is reached before none, on the same side of the same signal."""
    passed = {row.rule}
    while (further := row.reached_before) is not None:
        if further not in limits or further in passed:
            raise ProfileError(f"{row.rule}: reached_before = {further!r} is no more urgent rule with a limit")
        if (limits[further].signal, limits[further].low) != (row.signal, row.low):
            raise ProfileError(f"{row.rule}: reached_before = {further!r} limits another side or signal")
        passed.add(further)
        row = limits[further]


def _consequences(tables: Mapping[str, Mapping[str, dict[str, Any]]]) -> dict[str, Consequence]:
    made: dict[str, Consequence] = {}
    for kind in KINDS:
        for rule, table in tables[kind].items():
            found = consequence(f"{kind}.{rule}", rule, table)
            if made.setdefault(rule, found) != found:
                raise ProfileError(f"{kind}.{rule}: family, priority or tier differ from the same rule elsewhere")
    return made | SILENCE


def _timers(priority: Priority, tables: Mapping[str, Any]) -> Timers:
    where = f"timers.{priority}"
    timers = counts(Timers, where, sourced(where, get(tables, "timers", priority.value, dict)))
    if not 0 < timers.duty_s < timers.tier3_s < timers.exhausted_s:
        raise ProfileError(f"{where}: duty_s, tier3_s and exhausted_s must grow")
    return timers
