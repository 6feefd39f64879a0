"""Reads the variants of a profile: to whom each applies, and what differs from the standard patient for them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import combinations, product
from typing import Any

from alerting.profile.limits import FORMS, limit_of
from alerting.profile.patient import LimitRefused, PatientFacts, applies
from alerting.profile.patient import refuse_hiding as refuse_hidden
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
_KEYS = frozenset(_NUMBERS) | {"group", "and_group", "on_oxygen", "approved_by", "spo2_scale", "rule"}
_OVERRIDE_KEYS = frozenset(FORMS) | {"clear_at", "holds", "priority", "emergency", "tier3", "confirm"}
_SAME_TIMES = "; a variant changes limits, priority and whether a rule holds: its times are the same for everybody"


def variants_of(
    tables: Mapping[str, Any], limits: Mapping[str, LimitRow], rules: Mapping[str, Consequence]
) -> tuple[Variant, ...]:
    """Read all variants in the order written."""
    return tuple(_variant(name, table, limits, rules) for name, table in tables.items())


def refuse_hiding(profile: Profile) -> None:
    """Raise ProfileError where variants that can apply to one patient together hide a more urgent limit."""
    for facts in _everybody([variant.applies for variant in profile.variants]):
        try:
            refuse_hidden(profile, facts, on=_TODAY)
        except LimitRefused as exc:
            names = [variant.name for variant in profile.variants if applies(variant.applies, facts, on=_TODAY)]
            raise ProfileError(f"variant.{' + variant.'.join(names)}: {exc}" if names else str(exc)) from exc


_TODAY = date(2000, 1, 1)
_ADULT_DAYS = 15_000


def _everybody(said: Sequence[Applies]) -> Iterator[PatientFacts]:
    """Make a patient of each kind that variants tell apart, of no group first: adults, then every age."""
    named = sorted({group for to in said for group in (to.group, to.and_group) if group})
    groups = [frozenset(some) for size in range(len(named) + 1) for some in combinations(named, size)]
    ages = {edge for to in said for edge in (to.age_from_days, to.age_until_days) if edge is not None}
    heights = {edge for to in said for edge in (to.altitude_from_m, to.altitude_until_m) if edge is not None}
    oxygen = {False, *(to.on_oxygen for to in said if to.on_oxygen is not None)}
    for some, age, altitude_m, on_oxygen in product(
        groups, [_ADULT_DAYS, *sorted({0} | ages)], sorted({0} | heights), sorted(oxygen)
    ):
        yield PatientFacts(
            born_on=_TODAY - timedelta(days=age),
            special_groups=some,
            site_altitude_m=altitude_m,
            on_oxygen=on_oxygen,
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
        and_group=choice(table, where, "and_group", SpecialGroup) if "and_group" in table else None,
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
