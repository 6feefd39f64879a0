"""The limits of a clinical profile as a screen draws and says them (core). Alerting owns what they mean."""

import json
import tomllib
from dataclasses import dataclass, replace

from alerting.profile.bounds import sign_of
from vitals.reading import is_plausible
from vitals.signals import Signal

_SIGNS = {"below": "<", "at_or_below": "≤", "above": ">", "at_or_above": "≥"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One rule's limit on one signal."""

    rule: str
    signal: Signal
    sign: str
    value: float
    drawn: bool = True
    """Whether every good value of a standard patient is held to it: others would mislead in his chart."""


def limits_of(profile_body: str | None) -> list[Limit]:
    """Read the limits of a profile's text; none where there is no profile."""
    document = tomllib.loads(profile_body or "")
    return [
        limit
        for kind in ("sustained", "repeat", "fever")
        for rule, table in document.get(kind, {}).items()
        for limit in _limits(rule, table)
    ]


def _limits(rule: str, table: dict[str, object]) -> list[Limit]:
    signal = str(table.get("signal", "temperature"))
    if signal not in set(Signal):
        return []
    return [
        Limit(
            rule=rule,
            signal=Signal(signal),
            sign=sign,
            value=float(str(table[form])),
            drawn=all(table.get(key, usual) == usual for key, usual in _USUAL.items()),
        )
        for form, sign in _SIGNS.items()
        if form in table
    ]


def awaiting(said: str | None) -> list[str]:
    """Name the rules by which nobody watches a patient before a doctor has ordered his limit."""
    return list(json.loads(said).get("awaiting", ())) if said else []


def void(said: str | None) -> list[str]:
    """Name the rules of which a doctor has ordered a limit that can not hold, as it conflicts with the others."""
    return list(json.loads(said).get("void", ())) if said else []


def held_by(limits: list[Limit], said: str | None) -> list[Limit]:
    """Give them as one patient is held to them, by the log's line about him (alerting/judging/held.py).

    It says the limits of all rules that judge streams, scaled and exclusive; what nothing breaks does not hold for him.
    """
    own: dict[str, list[int]] = json.loads(said)["limits"] if said else {}
    held = []
    for limit in limits:
        exclusive = own[limit.rule][0] if limit.rule in own else None
        if exclusive is None:
            held.append(limit)
        elif is_plausible(limit.signal, exclusive):
            sign, value = sign_of(limit.signal, exclusive, low=limit.sign in ("<", "≤"))
            held.append(replace(limit, sign=_WRITTEN[sign], value=value))
    return held


_WRITTEN = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_USUAL: dict[str, object] = {"holds": "yes", "trust": "good", "after_activity": False}
