"""Says what a patient is to be held to, where that differs from what the log has said; and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from alerting.engine.partition import HeldAs
from alerting.judging.held import SaidLimits, from_line, to_line
from alerting.profile.patient import Held, LimitRefused, PatientFacts, applies, held_strictest, held_to
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
class Wrong:
    """Why a patient is not held to what was meant: orders that do not hold, by rule; variants that conflict."""

    orders: Mapping[str, str] = field(default_factory=dict)
    variants: str = ""

    def __bool__(self) -> bool:
        """Say whether anything is."""
        return bool(self.orders or self.variants)

    def in_words(self) -> list[str]:
        """Say each thing in a line."""
        said = [f"order does not hold: {reason}" for _, reason in sorted(self.orders.items())]
        return [*said, *([f"variants conflict, the strictest limits hold: {self.variants}"] if self.variants else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A line for the log, and what of it is wrong."""

    patient_id: int
    line: str
    wrong: Wrong


class Settler:
    """Settles the limits of many patients under one profile; what is equal of them is worked out once."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._known: dict[object, tuple[Held, Wrong]] = {}
        self._own = {rule.rule: rule.limit for rules in profile.sustained.values() for rule in rules}

    def news(self, subject: Subject, *, on: date) -> News | None:
        """Give the line that the log lacks; None where it says so already, or the profile's own limits hold."""
        said = from_line(subject.said) if subject.said is not None else None
        facts = self._settled(subject.facts, said, on)
        held, wrong = self.held(facts, on)
        limits = limits_of(self._profile, held)
        if said is None and held.name == self._profile.name and limits == self._own and not wrong:
            return None
        line = to_line(
            SaidLimits(
                patient_id=subject.patient_id,
                held=HeldAs(name=held.name, hash=held.hash, baseline=held.baseline),
                why=(*self._why(subject, facts, wrong, on), *wrong.in_words()),
                awaiting=tuple(sorted(held.awaiting_order)),
                void=tuple(sorted(wrong.orders)),
                limits=limits,
            )
        )
        return None if line == subject.said else News(patient_id=subject.patient_id, line=line, wrong=wrong)

    def held(self, facts: PatientFacts, on: date) -> tuple[Held, Wrong]:
        """Say what holds, and what of it is wrong. Raises nothing: an order that can not hold falls, and only that."""
        variants = tuple(v.name for v in self._profile.variants if applies(v.applies, facts, on=on))
        newest_last = tuple(sorted(facts.orders, key=lambda rule: (facts.order_numbers.get(rule, 0), rule)))
        key = (variants, tuple((rule, facts.orders[rule]) for rule in newest_last), facts.baseline)
        if key not in self._known:
            self._known[key] = self._hold(facts, newest_last, on)
        return self._known[key]

    def _hold(self, facts: PatientFacts, newest_last: Sequence[str], on: date) -> tuple[Held, Wrong]:
        """Drop the newest of the orders that conflict until the others hold; one that falls may have borne another."""
        void: dict[str, str] = {}
        while True:
            standing = replace(facts, orders={rule: facts.orders[rule] for rule in newest_last if rule not in void})
            try:
                return held_to(self._profile, standing, on=on), Wrong(orders=void)
            except LimitRefused as exc:
                conflicting = [rule for rule in newest_last if rule in exc.rules and rule not in void]
                if not conflicting:
                    held = held_strictest(self._profile, standing, on=on)
                    return held, Wrong(orders=void, variants=str(exc))
                void[conflicting[-1]] = str(exc)

    def _settled(self, facts: PatientFacts, said: SaidLimits | None, on: date) -> PatientFacts:
        """Keep the baseline that was said, where the present one moves no limit by a step."""
        if said is None or None in (said.held.baseline, facts.baseline):
            return facts
        kept = replace(facts, baseline=said.held.baseline)
        new, old = (limits_of(self._profile, self.held(each, on)[0]) for each in (facts, kept))
        moved = (abs(getattr(new[rule], edge) - getattr(old[rule], edge)) for rule in new for edge in _EDGES)
        return facts if max(moved, default=0) >= self._profile.baseline.limit_step else kept

    def _why(self, subject: Subject, facts: PatientFacts, wrong: Wrong, on: date) -> list[str]:
        found = [f"profile {self._profile.name} {self._profile.profile_hash[:12]}"]
        applying = [variant for variant in self._profile.variants if applies(variant.applies, facts, on=on)]
        found += [f"{_of(variant.applies)}: {variant.name}" for variant in applying]
        found += [
            f"order {number}: {rule}" for rule, number in sorted(subject.orders.items()) if rule not in wrong.orders
        ]
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
