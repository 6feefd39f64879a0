"""Says what a patient is to be held to, where that differs from what the log has said; and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from alerting.engine.partition import HeldAs
from alerting.judging.held import SaidLimits, from_line, to_line
from alerting.profile.patient import Held, LimitRefused, PatientFacts, applies, held_to
from alerting.profile.profile import Applies, Profile
from vitals.reading import unscaled
from vitals.signals import Signal
from vitals.sustained import Limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A patient as limits are made for him; `orders` numbers his orders by rule, `said` is the log's last line."""

    patient_id: int
    facts: PatientFacts
    orders: Mapping[str, int]
    said: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A line for the log, and what is wrong with the patient's orders: they then do not hold."""

    patient_id: int
    line: str
    refused: str


class Settler:
    """Settles the limits of many patients under one profile; what is equal of them is worked out once."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._known: dict[object, tuple[Held, str]] = {}
        self._own = {rule.rule: rule.limit for rules in profile.sustained.values() for rule in rules}

    def news(self, subject: Subject, *, on: date) -> News | None:
        """Give the line that the log lacks; None where it says so already, or the profile's own limits hold."""
        said = from_line(subject.said) if subject.said is not None else None
        facts = self._settled(subject.facts, said, on)
        held, refused = self.held(facts, on)
        limits = limits_of(self._profile, held)
        if said is None and held.name == self._profile.name and limits == self._own:
            return None
        line = to_line(
            SaidLimits(
                patient_id=subject.patient_id,
                held=HeldAs(name=held.name, hash=held.hash, baseline=held.baseline),
                why=(*self._why(subject, facts, on), *([f"orders do not hold: {refused}"] if refused else [])),
                awaiting=tuple(sorted(held.awaiting_order)),
                limits=limits,
            )
        )
        return None if line == subject.said else News(patient_id=subject.patient_id, line=line, refused=refused)

    def held(self, facts: PatientFacts, on: date) -> tuple[Held, str]:
        """Say what holds, and what is wrong with the orders: then they do not."""
        variants = tuple(v.name for v in self._profile.variants if applies(v.applies, facts, on=on))
        key = (variants, tuple(sorted(facts.orders.items(), key=lambda order: order[0])), facts.baseline)
        if key not in self._known:
            try:
                self._known[key] = held_to(self._profile, facts, on=on), ""
            except LimitRefused as exc:
                self._known[key] = held_to(self._profile, replace(facts, orders={}), on=on), str(exc)
        return self._known[key]

    def _settled(self, facts: PatientFacts, said: SaidLimits | None, on: date) -> PatientFacts:
        """Keep the baseline that was said, where the present one moves no limit by a step."""
        if said is None or None in (said.held.baseline, facts.baseline):
            return facts
        kept = replace(facts, baseline=said.held.baseline)
        new, old = (limits_of(self._profile, self.held(each, on)[0]) for each in (facts, kept))
        moved = (abs(getattr(new[rule], edge) - getattr(old[rule], edge)) for rule in new for edge in _EDGES)
        return facts if max(moved, default=0) >= self._profile.baseline.limit_step else kept

    def _why(self, subject: Subject, facts: PatientFacts, on: date) -> list[str]:
        found = [f"profile {self._profile.name} {self._profile.profile_hash[:12]}"]
        applying = [variant for variant in self._profile.variants if applies(variant.applies, facts, on=on)]
        found += [f"{_of(variant.applies)}: {variant.name}" for variant in applying]
        found += [f"order {number}: {rule}" for rule, number in sorted(subject.orders.items())]
        if facts.baseline is not None:
            found.append(f"baseline: {unscaled(Signal.SPO2, facts.baseline):g} %")
        return found


def limits_of(profile: Profile, held: Held) -> dict[str, Limit]:
    """Give the limits of a patient's sustained rules by rule id."""
    return {
        rule.rule: limit
        for channel, rules in profile.sustained.items()
        for rule, limit in zip(rules, held.limits[channel], strict=True)
    }


_EDGES = ("breach", "clear_at")


def _of(to: Applies) -> str:
    """Name what of a patient makes a variant apply."""
    if to.group is not None:
        return "group"
    if to.on_oxygen is not None:
        return "oxygen"
    return "age" if (to.age_from_days, to.age_until_days) != (None, None) else "site"
