"""Reads the variants of a profile: to whom each applies, and what differs from the standard patient for them."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from alerting.profile.limits import FORMS, limit_of
from alerting.profile.patient import LimitRefused, PatientFacts, held_to
from alerting.profile.profile import (
    Applies,
    Confirm,
    Consequence,
    Holds,
    LimitRow,
    Override,
    Priority,
    Profile,
    Variant,
)
from alerting.profile.tables import ProfileError, choice, count, get, only, sourced
from care.registry import SpecialGroup

_NUMBERS = ("age_from_days", "age_until_days", "altitude_from_m", "altitude_until_m")
_KEYS = frozenset(_NUMBERS) | {"group", "on_oxygen", "approved_by", "spo2_scale", "rule"}
_OVERRIDE_KEYS = frozenset(FORMS) | {"clear_at", "holds", "priority", "emergency", "tier3", "confirm"}
_SAME_TIMES = "; a variant changes limits, priority and whether a rule holds: its times are the same for everybody"


def variants_of(
    tables: Mapping[str, Any], limits: Mapping[str, LimitRow], rules: Mapping[str, Consequence]
) -> tuple[Variant, ...]:
    """Read all variants in the order written."""
    return tuple(_variant(name, table, limits, rules) for name, table in tables.items())


def refuse_hiding(profile: Profile) -> None:
    """Raise ProfileError where a variant, with those it lies on, hides a more urgent limit."""
    for variant in profile.variants:
        try:
            held_to(profile, _somebody(variant.applies), on=_TODAY)
        except LimitRefused as exc:
            raise ProfileError(f"variant.{variant.name}: {exc}") from exc


_TODAY = date(2000, 1, 1)
_ADULT_DAYS = 15_000


def _somebody(to: Applies) -> PatientFacts:
    """Make a patient to whom a variant applies."""
    adult = to.age_from_days is None and to.age_until_days is None
    return PatientFacts(
        born_on=_TODAY - timedelta(days=_ADULT_DAYS if adult else to.age_from_days or 0),
        special_groups=frozenset({to.group} if to.group else ()),
        site_altitude_m=to.altitude_from_m or 0,
        on_oxygen=bool(to.on_oxygen),
    )


def _variant(name: str, raw: Any, limits: Mapping[str, LimitRow], rules: Mapping[str, Consequence]) -> Variant:
    where = f"variant.{name}"
    if not isinstance(raw, dict):
        raise ProfileError(f"{where}: {raw!r} is not a table")
    only(where, raw, _KEYS | {"source"})
    table = sourced(where, raw, inner=frozenset({"rule"}))
    return Variant(
        name=name,
        applies=_applies(where, table),
        overrides=tuple(
            _override(f"{where}.rule.{rule}", rule, inner, limits, rules)
            for rule, inner in get(table, where, "rule", dict).items()
        ),
        spo2_scale=count(table, where, "spo2_scale", 2) if "spo2_scale" in table else None,
        approved_by=get(table, where, "approved_by", str) if "approved_by" in table else "",
    )


def _applies(where: str, table: Mapping[str, Any]) -> Applies:
    numbers = {key: count(table, where, key) for key in _NUMBERS if key in table}
    for kind in ("age", "altitude"):
        start, end = (numbers.get(key) for key in _NUMBERS if key.startswith(kind))
        if end is not None and (start or 0) >= end:
            raise ProfileError(f"{where}: {kind} from {start or 0} is not before {kind} until {end}")
    made = Applies(
        group=choice(table, where, "group", SpecialGroup) if "group" in table else None,
        on_oxygen=get(table, where, "on_oxygen", bool) if "on_oxygen" in table else None,
        **numbers,
    )
    if made == Applies():
        raise ProfileError(f"{where}: applies to everybody; needs an age, a group, on_oxygen or an altitude")
    return made


def _override(
    where: str, rule: str, raw: Any, limits: Mapping[str, LimitRow], rules: Mapping[str, Consequence]
) -> Override:
    if not isinstance(raw, dict):
        raise ProfileError(f"{where}: {raw!r} is not a table")
    only(where, raw, _OVERRIDE_KEYS | {"source"}, because=_SAME_TIMES)
    table = sourced(where, raw)
    if rule not in rules:
        raise ProfileError(f"{where}: no rule {rule} to change")
    holds = choice(table, where, "holds", Holds) if "holds" in table else None
    if rules[rule].emergency and holds not in (None, Holds.YES):
        raise ProfileError(f"{where}: holds = {holds!s}, but an emergency holds for everybody; give it another limit")
    limit = None
    if table.keys() & (FORMS.keys() | {"clear_at"}):
        row = limits.get(rule)
        if row is None or row.limit is None:
            raise ProfileError(f"{where}: {rule} has no limit of its own to change")
        low, limit = limit_of(where, table, row.signal)
        if low is not row.low:
            raise ProfileError(f"{where}: the dangerous side of {rule} is {'below' if row.low else 'above'}")
    return Override(
        rule=rule,
        limit=limit,
        holds=holds,
        priority=choice(table, where, "priority", Priority) if "priority" in table else None,
        emergency=get(table, where, "emergency", bool) if "emergency" in table else None,
        tier3=get(table, where, "tier3", bool) if "tier3" in table else None,
        confirm=choice(table, where, "confirm", Confirm) if "confirm" in table else None,
    )
