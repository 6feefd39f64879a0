"""What a rehearsal says: conditions with their beginning, raise and end; and these as events in order of time."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from alerting.evidence import things_of
from alerting.explanation import explain
from alerting.profile.patient import Held
from alerting.profile.profile import Consequence, Priority
from alerting.raising import Basis, WhoseAlarm, for_patient
from alerting.words import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One time that a rule held: `raised_ms` is when it was said, `cleared_ms` when it was over (None: it was not)."""

    rule: str
    basis: Basis
    since_ms: int
    raised_ms: int
    cleared_ms: int | None
    value: float | None
    cleared_value: float | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Kind(StrEnum):
    """What an event says."""

    RAISE = "raise"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of what was said. `value` is in the signal's unit; None where silence spoke."""

    at_ms: int
    rule: str
    kind: Kind
    basis: Basis
    priority: Priority
    emergency: bool
    technical: bool
    since_ms: int
    value: float | None
    evidence: Mapping[str, Any]


def events_of(
    conditions: Iterable[Condition], consequences: Mapping[str, Consequence], patient: WhoseAlarm
) -> list[Event]:
    """Give the raises and ends in order of time, each with this patient's priority."""
    said = []
    for condition in conditions:
        consequence = for_patient(consequences[condition.rule], patient, past=False)
        times = [(Kind.RAISE, condition.raised_ms, condition.value)]
        if condition.cleared_ms is not None:
            times.append((Kind.CLEAR, condition.cleared_ms, condition.cleared_value))
        said += [
            Event(
                at_ms=at_ms,
                rule=condition.rule,
                kind=kind,
                basis=condition.basis,
                priority=consequence.priority,
                emergency=consequence.emergency,
                technical=consequence.technical,
                since_ms=condition.since_ms,
                value=value,
                evidence=condition.evidence if kind is Kind.RAISE else _end_of(condition, at_ms),
            )
            for kind, at_ms, value in times
        ]
    return sorted(said, key=lambda event: (event.at_ms, event.kind is Kind.RAISE, event.rule))


def as_line(event: Event, *, origin_ms: int, held: Held) -> dict[str, Any]:
    """Give an event as the values of one JSON line; the evidence's `at_s` counts from the recording's beginning."""
    evidence = {
        "at_s": (event.at_ms - origin_ms) / 1000,
        "basis": event.basis,
        "emergency": event.emergency,
        "technical": event.technical,
        **event.evidence,
        "profile": held.name,
        "profile_hash": held.hash,
    }
    return {
        "at": _instant(event.at_ms),
        "rule": event.rule,
        "kind": event.kind,
        "priority": event.priority,
        "since": _instant(event.since_ms),
        "value": event.value,
        "profile": held.hash,
        "evidence": evidence | {"said": asdict(explained(replace(event, evidence=evidence)))},
    }


def in_words(event: Event, *, origin_ms: int) -> str:
    """Say an event in one line of text: when (since the recording's beginning too), what, how urgent and why."""
    after = timedelta(seconds=(event.at_ms - origin_ms) // 1000)
    urgency = f"{event.priority} + emergency" if event.emergency else event.priority.value
    said = f"{_instant(event.at_ms)[:19]}  {after!s:>16}  {event.kind:5}  {event.rule:16}  {urgency:16}"
    since = "" if event.kind is Kind.CLEAR else f" since {_instant(event.since_ms)[11:19]}"
    return f"{said}{since}  {explained(event).en}"


def explained(event: Event) -> Text:
    """Say why a rule raised, or after how long and by which value it was over."""
    if event.kind is Kind.RAISE:
        return explain(event.rule, event.evidence).whole
    lasted = timedelta(milliseconds=event.at_ms - event.since_ms)
    at = things_of(event.evidence).get("value")
    return Text(
        zh=f"历时{lasted}后解除" + (f"，当时{at.zh}" if at else ""),
        en=f"over after {lasted}" + (f", at {at.en}" if at else ""),
    )


def _end_of(condition: Condition, at_ms: int) -> dict[str, Any]:
    named = {key: condition.evidence[key] for key in ("signal", "unit") if key in condition.evidence}
    value = {} if condition.cleared_value is None else {"value": condition.cleared_value}
    return {
        **named,
        **value,
        "since": _instant(condition.since_ms),
        "until": _instant(at_ms),
        "lasted_s": (at_ms - condition.since_ms) / 1000,
    }


def _instant(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat()
