"""Which limits hold for one patient: the standard profile, the variants that apply in the order written, his orders.

A rule's limits, priority and whether it holds may be the patient's own; its times are the same for everybody.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from alerting.profile.bounds import bound
from alerting.profile.profile import (
    Applies,
    Channel,
    Consequence,
    FeverRule,
    Holds,
    LimitRow,
    OrderRule,
    Override,
    Profile,
    RepeatRule,
    Variant,
)
from alerting.profile.singles import News2Rule
from vitals.reading import is_plausible, unscaled
from vitals.signals import SIGNALS
from vitals.sustained import Limit


class LimitRefused(ValueError):
    """A patient can not be held to these limits; the message names the rule and both numbers, `rules` who conflict."""

    def __init__(self, message: str, *rules: str) -> None:
        super().__init__(message)
        self.rules = frozenset(rules)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientFacts:
    """What of a patient decides which limits hold.

    `orders` are a doctor's limits by rule id, scaled, `breach` exclusive, and `order_numbers` which of them is newer.
    `baseline` is his median at rest, scaled.
    `site_altitude_m` matters only under a profile that has not been made its site's (`alerting.profile.site`).
    """

    born_on: date
    special_groups: frozenset[str] = frozenset()
    site_altitude_m: int = 0
    on_oxygen: bool = False
    orders: Mapping[str, Limit] = field(default_factory=dict)
    order_numbers: Mapping[str, int] = field(default_factory=dict)
    baseline: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one patient is held to until `next_change`. A rule that does not hold has the limit that nothing breaks."""

    name: str
    """The profile and its variants, as an event names them: "standard-adult+pregnant"."""
    hash: str
    limits: Mapping[Channel, tuple[Limit, ...]]
    """For each channel, in the order of `profile.sustained[channel]`."""
    repeat: tuple[RepeatRule, ...]
    fever: tuple[FeverRule, ...]
    news2: tuple[News2Rule, ...]
    """Empty for whom the score is not made: children, pregnancy."""
    spo2_scale: int
    consequences: Mapping[str, Consequence]
    by_rule: Mapping[str, Limit]
    """The limit of each rule that has one and holds for him."""
    off: frozenset[str]
    """Rules that do not hold for him."""
    awaiting_order: frozenset[str]
    """Of these, the ones that a variant leaves to a doctor's order, which there is not."""
    baseline: int | None
    next_change: date | None
    """The next day on which his age alone changes what holds."""


def held_to(profile: Profile, facts: PatientFacts, *, on: date) -> Held:
    """Say which limits hold for a patient on a day. Raises LimitRefused for limits that would hide a danger."""
    variants = _applying(profile, facts, on)
    rows = {rule: _changed(row, variants) for rule, row in profile.limits.items()}
    if unknown := facts.orders.keys() - rows.keys():
        raise LimitRefused(f"ordered limit of {', '.join(sorted(unknown))}: no such rule in {profile.name}", *unknown)
    limits = {rule: _limit(row, facts, profile.orders) for rule, row in rows.items()}
    _refuse_hidden(rows, limits)
    return _held(profile, facts, rows, limits, variants=variants, on=on)


def refuse_hiding(profile: Profile, facts: PatientFacts, *, on: date) -> None:
    """Raise LimitRefused where a patient's variants together hide a more urgent limit; looks at limits alone."""
    variants = _applying(profile, facts, on)
    rows = {rule: _changed(row, variants) for rule, row in profile.limits.items()}
    _refuse_hidden(rows, {rule: _limit(row, facts, profile.orders) for rule, row in rows.items()})


def held_strictest(profile: Profile, facts: PatientFacts, *, on: date) -> Held:
    """Say what holds for a patient whose variants conflict: of each rule the strictest limit that any of them says.

    One that still lies beyond that of a more urgent rule is as strict as that. Raises LimitRefused for an order that
    is none.
    """
    variants = _applying(profile, facts, on)
    rows = {rule: _strictest(row, variants) for rule, row in profile.limits.items()}
    limits = {rule: _limit(row, facts, profile.orders) for rule, row in rows.items()}
    inside = {rule: _innermost(row, [limits[each] for each in _chain(row, rows)]) for rule, row in rows.items()}
    limits = {rule: None if limits[rule] is None else inside[rule] for rule in rows}
    return _held(profile, facts, rows, limits, variants=variants, on=on)


def _held(
    profile: Profile,
    facts: PatientFacts,
    rows: Mapping[str, LimitRow],
    limits: Mapping[str, Limit | None],
    *,
    variants: Sequence[Variant],
    on: date,
) -> Held:
    held = Held(
        name="+".join([profile.name, *(variant.name for variant in variants), *(["order"] if facts.orders else [])]),
        hash="",
        limits={
            channel: tuple(limits[rule.rule] or rule.never for rule in rules)
            for channel, rules in profile.sustained.items()
        },
        repeat=tuple(_repeat(rule, limits[rule.rule] or rows[rule.rule].never, variants) for rule in profile.repeat),
        fever=tuple(_fever(rule, limits[rule.rule] or rows[rule.rule].never) for rule in profile.fever),
        news2=tuple(rule for rule in profile.news2 if _holds(rule.rule, variants)),
        spo2_scale=next((v.spo2_scale for v in reversed(variants) if v.spo2_scale is not None), 1),
        consequences={rule: _urgency(each, variants) for rule, each in profile.consequences.items()},
        by_rule={rule: limit for rule, limit in limits.items() if limit is not None},
        off=frozenset(rule for rule, limit in limits.items() if limit is None)
        | {rule.rule for rule in profile.news2 if not _holds(rule.rule, variants)},
        awaiting_order=frozenset(r for r, row in rows.items() if row.holds is Holds.BY_ORDER) - facts.orders.keys(),
        baseline=facts.baseline,
        next_change=_next_change(profile, facts, variants, on),
    )
    return replace(held, hash=_hash(profile, held))


def urgency_of(profile: Profile, rule: str, facts: PatientFacts, *, on: date) -> Consequence:
    """Say how urgent a rule's raise is for a patient on a day."""
    return _urgency(profile.consequences[rule], _applying(profile, facts, on))


def applies(to: Applies, facts: PatientFacts, *, on: date) -> bool:
    """Say whether a variant's conditions are all so for a patient on a day."""
    age_days = max((on - facts.born_on).days, 0)
    return (
        (to.age_from_days is None or age_days >= to.age_from_days)
        and (to.age_until_days is None or age_days < to.age_until_days)
        and (to.group is None or to.group in facts.special_groups)
        and (to.and_group is None or to.and_group in facts.special_groups)
        and (to.on_oxygen is None or to.on_oxygen == facts.on_oxygen)
        and (to.altitude_from_m is None or facts.site_altitude_m >= to.altitude_from_m)
        and (to.altitude_until_m is None or facts.site_altitude_m < to.altitude_until_m)
    )


def _applying(profile: Profile, facts: PatientFacts, on: date) -> tuple[Variant, ...]:
    return tuple(variant for variant in profile.variants if applies(variant.applies, facts, on=on))


def _overrides(rule: str, variants: Sequence[Variant]) -> list[Override]:
    return [override for variant in variants for override in variant.overrides if override.rule == rule]


def _changed(row: LimitRow, variants: Sequence[Variant]) -> LimitRow:
    for override in _overrides(row.rule, variants):
        row = replace(row, limit=override.limit or row.limit, holds=override.holds or row.holds)
    return row


def _strictest(row: LimitRow, variants: Sequence[Variant]) -> LimitRow:
    """Give a rule as the strictest of these variants says it; as it is written where none speaks of it."""
    said = _overrides(row.rule, variants)
    holding = {override.holds for override in said if override.holds is not None}
    return replace(
        row,
        limit=_innermost(row, [override.limit for override in said]) or row.limit,
        holds=next((each for each in (Holds.YES, Holds.BY_ORDER, Holds.NO) if each in holding), row.holds),
    )


def _innermost(row: LimitRow, limits: Sequence[Limit | None]) -> Limit | None:
    stated = [limit for limit in limits if limit is not None]
    return max(stated, key=lambda limit: limit.breach if row.low else -limit.breach, default=None)


def _chain(row: LimitRow, rows: Mapping[str, LimitRow]) -> list[str]:
    """Name a rule and those that are more urgent on its side of its signal."""
    chain = [row.rule]
    while (urgent := rows[chain[-1]].reached_before) is not None:
        chain.append(urgent)
    return chain


def _refuse_hidden(rows: Mapping[str, LimitRow], limits: Mapping[str, Limit | None]) -> None:
    """Raise LimitRefused where a limit lies further out than the more urgent one it has to be reached before."""
    for rule, row in rows.items():
        limit = limits[rule]
        urgent = next((each for each in _chain(row, rows)[1:] if limits[each] is not None), None)
        further = limits[urgent] if urgent is not None else None
        if limit is None or urgent is None or further is None:
            continue
        if limit.breach < further.breach if row.low else limit.breach > further.breach:
            raise LimitRefused(
                f"{rule}: limit {bound(row.signal, limit.breach, low=row.low)} lies beyond that of"
                f" {urgent}, {bound(row.signal, further.breach, low=row.low)}",
                rule,
                urgent,
            )


def _limit(row: LimitRow, facts: PatientFacts, orders: OrderRule) -> Limit | None:
    """Give the limit that holds; None: the rule does not."""
    if row.rule in facts.orders:
        return _ordered(row, facts.orders[row.rule], orders.furthest[row.signal, row.low])
    if row.holds is not Holds.YES:
        return None
    if row.drop is not None:
        return row.drop.limit(facts.baseline) if facts.baseline is not None else None
    return row.limit


def _ordered(row: LimitRow, limit: Limit, furthest: int) -> Limit:
    said = f"{row.rule}: ordered limit {bound(row.signal, limit.breach, low=row.low)}"
    said += f", over at {unscaled(row.signal, limit.clear_at):g}"
    low, high = SIGNALS[row.signal].plausible
    if not all(is_plausible(row.signal, scaled) for scaled in (limit.breach, limit.clear_at)):
        raise LimitRefused(f"{said}: not within {low:g} to {high:g}", row.rule)
    if limit.clear_at < limit.breach if row.low else limit.clear_at > limit.breach:
        raise LimitRefused(f"{said}: that lies inside the limit", row.rule)
    if limit.breach < furthest if row.low else limit.breach > furthest:
        side = "below" if row.low else "above"
        raise LimitRefused(
            f"{said}: that lies {side} {unscaled(row.signal, furthest):g}, and would silence the rule", row.rule
        )
    return limit


def _repeat(rule: RepeatRule, limit: Limit, variants: Sequence[Variant]) -> RepeatRule:
    confirm = next((o.confirm for o in reversed(_overrides(rule.rule, variants)) if o.confirm), rule.confirm)
    return replace(rule, limit=limit.breach, clear_at=limit.clear_at, confirm=confirm)


def _fever(rule: FeverRule, limit: Limit) -> FeverRule:
    return replace(rule, above=limit.breach, clear_at=limit.clear_at)


def _holds(rule: str, variants: Sequence[Variant]) -> bool:
    said = [override.holds for override in _overrides(rule, variants) if override.holds is not None]
    return not said or said[-1] is Holds.YES


def _urgency(consequence: Consequence, variants: Sequence[Variant]) -> Consequence:
    for override in _overrides(consequence.rule, variants):
        consequence = replace(
            consequence,
            priority=override.priority or consequence.priority,
            emergency=consequence.emergency if override.emergency is None else override.emergency,
            tier3=consequence.tier3 if override.tier3 is None else override.tier3,
        )
    return consequence


def _next_change(profile: Profile, facts: PatientFacts, now: Sequence[Variant], on: date) -> date | None:
    ages = {
        age
        for variant in profile.variants
        for age in (variant.applies.age_from_days, variant.applies.age_until_days)
        if age is not None
    }
    days = sorted(facts.born_on + timedelta(days=age) for age in ages)
    return next((day for day in days if day > on and _applying(profile, facts, day) != tuple(now)), None)


def _hash(profile: Profile, held: Held) -> str:
    """Name the resolved numbers and the file they come from."""
    said = [
        profile.profile_hash,
        sorted((channel.signal, channel.trust, limits) for channel, limits in held.limits.items()),
        (held.repeat, held.fever, held.news2, held.spo2_scale),
        sorted(held.consequences.items()),
    ]
    return hashlib.sha256(repr(said).encode()).hexdigest()
