"""A profile as a clinician reads it: a line for each rule and for each variant."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from alerting.profile.bounds import bound, sign_of, unit_of
from alerting.profile.patient import Held
from alerting.profile.profile import (
    Applies,
    Confirm,
    FeverRule,
    Holds,
    LimitRow,
    Override,
    Profile,
    RepeatRule,
    Timers,
    Trust,
)
from alerting.profile.singles import News2Rule
from vitals.reading import unscaled
from vitals.sustained import SustainedRule

TIMER_NAMES = tuple(field.name for field in fields(Timers))


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """One rule in one way of judging it."""

    rule: str
    judged: str
    condition: str
    persistence: str
    priority: str
    tier3: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantLine:
    """One variant: to whom it applies, and what it changes."""

    variant: str
    applies: str
    changes: tuple[str, ...]
    approved_by: str


def rule_lines(profile: Profile, held: Held | None = None) -> list[RuleLine]:
    """Give each rule as a line: of the standard patient, or of one who is held to these limits."""
    consequences = held.consequences if held else profile.consequences
    lines = []
    for rule, judged, condition, persistence in _judged(profile, held):
        consequence = consequences[rule]
        urgency = f"{consequence.priority} + emergency" if consequence.emergency else consequence.priority.value
        lines.append(
            RuleLine(
                rule=rule,
                judged=judged,
                condition=condition,
                persistence=persistence,
                priority=urgency,
                tier3=consequence.tier3,
            )
        )
    return lines


def variant_lines(profile: Profile) -> list[VariantLine]:
    """Give each variant as a line, in the order in which they overlay each other."""
    return [
        VariantLine(
            variant=variant.name,
            applies=_applies(variant.applies),
            changes=tuple(_change(override, profile) for override in variant.overrides)
            + ((f"NEWS2 by SpO2 scale {variant.spo2_scale}",) if variant.spo2_scale is not None else ()),
            approved_by=variant.approved_by,
        )
        for variant in profile.variants
    ]


def _judged(profile: Profile, held: Held | None) -> Iterator[tuple[str, str, str, str]]:
    for channel, rules in profile.sustained.items():
        how = "stream" if channel.trust is Trust.GOOD else f"stream, {channel.trust}"
        for rule in rules:
            yield rule.rule, how, _condition(profile.limits[rule.rule], held), _window(rule)
    for repeat in held.repeat if held else profile.repeat:
        yield repeat.rule, _single(repeat), _condition(profile.limits[repeat.rule], held), _confirmed(repeat)
    for fever in profile.fever:
        yield fever.rule, "fever", _condition(profile.limits[fever.rule], held), _lasting(fever)
    for score in profile.news2:
        within = f"items at most {score.complete_within_ms // 60_000} min old"
        yield score.rule, "score", _score(score, held), within
    for rule_id in profile.reported:
        yield rule_id, "report", "a person reports a warning sign", "at once"


def _condition(row: LimitRow, held: Held | None) -> str:
    if held is None:
        unless = {Holds.NO: ", only where a variant says so", Holds.BY_ORDER: ", only by order"}
        return _stated(row) + unless.get(row.holds, "")
    if row.rule in held.awaiting_order:
        return "waits for a doctor's order"
    limit = held.by_rule.get(row.rule)
    return bound(row.signal, limit.breach, low=row.low) if limit else "does not hold"


def _stated(row: LimitRow) -> str:
    if row.limit is not None:
        return bound(row.signal, row.limit.breach, low=row.low)
    assert row.drop is not None, "a row without a limit has a drop"
    drop, below = (unscaled(row.signal, each) for each in (row.drop.drop, row.drop.and_below))
    return f"{row.signal} >= {drop:g} under the baseline, and < {below:g} {unit_of(row.signal)}"


def _window(rule: SustainedRule) -> str:
    return f"{rule.share_percent} % of samples in {rule.window_ms // 1000} s, coverage {rule.coverage_percent} %"


def _single(rule: RepeatRule) -> str:
    how = "single" if rule.trust is Trust.GOOD else f"single, {rule.trust}"
    return f"{how}, after activity" if rule.after_activity else how


def _confirmed(rule: RepeatRule) -> str:
    within = f"{rule.repeat_from_ms // 1000}-{rule.repeat_until_ms // 1000} s later"
    return {
        Confirm.REPEAT: f"a second one {within}, or none in time",
        Confirm.ONLY_REPEAT: f"a second one {within}",
        Confirm.AT_ONCE: "at once",
    }[rule.confirm]


def _lasting(rule: FeverRule) -> str:
    return f"longer than {rule.longer_than_ms / 3_600_000:g} h, one such reading each {rule.block_ms / 3_600_000:g} h"


def _score(rule: News2Rule, held: Held | None) -> str:
    if held is not None and rule.rule in held.off:
        return "does not hold"
    single = f", or one item >= {rule.single_from}" if rule.single_from is not None else ""
    return f"NEWS2 >= {rule.total_from}{single}"


def _applies(to: Applies) -> str:
    said = [
        _between("age", to.age_from_days, to.age_until_days, "d"),
        f"group {to.group}" if to.group else "",
        f"group {to.and_group} too" if to.and_group else "",
        {True: "on oxygen", False: "not on oxygen"}.get(to.on_oxygen, "") if to.on_oxygen is not None else "",
        _between("altitude", to.altitude_from_m, to.altitude_until_m, "m"),
    ]
    return ", ".join(part for part in said if part) or "everybody here"


def _between(what: str, start: int | None, end: int | None, unit: str) -> str:
    if start is None and end is None:
        return ""
    return f"{what} {start or 0} to {end} {unit}" if end is not None else f"{what} from {start} {unit}"


def _change(override: Override, profile: Profile) -> str:
    said = [override.rule]
    row = profile.limits.get(override.rule)
    if override.limit and row:
        sign, number = sign_of(row.signal, override.limit.breach, low=row.low)
        said.append(f"{sign} {number:g}")
    holds = {Holds.NO: "does not hold", Holds.BY_ORDER: "only by order", Holds.YES: "" if override.limit else "holds"}
    said += [holds[override.holds]] if override.holds else []
    said += [override.priority.value] if override.priority else []
    said += {True: ["tier 3"], False: ["no tier 3"], None: []}[override.tier3]
    said += [override.confirm.value.replace("_", " ")] if override.confirm else []
    return " ".join(part for part in said if part)
