"""A cohort's findings as figures of a document, and the document's tables in lines for a person."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from alerting.profile.profile import Priority
from hearthwatch.bench.cohort.findings import Findings
from hearthwatch.bench.cohort.truth import Truth

COUNTED = {"false_high": (Priority.HIGH,), "false_manual": (Priority.HIGH, Priority.MEDIUM)}
LONG_S = 300
"""A fall so low for this long that its own rule should have spoken, had its signal been there."""


def figures_of(found: Findings, *, hours: float) -> dict[str, Any]:
    """Give the findings of nights of so many hours as plain values."""
    return {
        "patient_days": found.nights,
        "true_falls": found.falls,
        "true_falls_hardly_seen": found.unseen,
        "missed": [asdict(fall) for fall in found.missed],
        "found_by_a_standing_alarm_alone": found.standing,
        "sensitivity_percent": 100 * (1 - len(found.missed) / found.falls) if found.falls else None,
        "delay_s": _spread(found.delays_s),
        "critical": _critical(found),
        **{name: _rates(found, priorities, hours) for name, priorities in COUNTED.items()},
        "untrue_by_cause": [
            {"truth": truth, "priority": priority, "rule": rule, "cause": cause, **_rate(count, found.nights)}
            for (truth, priority, rule, cause), count in found.untrue.most_common()
        ],
        "alerts": [{"priority": p, "rule": rule, "alerts": count} for (p, rule), count in found.alerts.most_common()],
        "alerts_a_patient_day": found.alerts.total() / found.nights,
        "silences": dict(found.silences),
        "nights_played_alone": found.played_again,
    }


def in_tables(document: Mapping[str, Any]) -> Iterator[str]:
    """Give what a document says of hardness, of falls and of alerts as lines of tables."""
    yield f"{'printed, here, ratio':28} {'ordinary people':>24} {'apnoea':>24}"
    for row in document["hardness"]:
        yield f"{row['rule']:28} {_beside(row['ordinary']):>24} {_beside(row['apnoea']):>24}"
    for way in (name for name in ("gated", "ungated") if name in document):
        yield from _of_way(way, document[way])


def _of_way(way: str, figures: Mapping[str, Any]) -> Iterator[str]:
    delay, own = figures["delay_s"], figures["critical"]
    yield f"{way}: {figures['true_falls']} true falls, {len(figures['missed'])} missed; delay {_delay(delay)}"
    yield (
        f"  to 88 and below: {own['falls']} falls; SPO2-CRIT {own['told']} told, delay {_delay(own['delay_s'])},"
        f" {own['standing']} standing, {own['untold']} untold; any high alarm {_delay(own['first_high_s'])}"
    )
    for name in COUNTED:
        rates = figures[name]
        yield (
            f"  {name.replace('_', ' ')} a patient-day: {rates['a_patient_day']:.4f},"
            f" right by rule {rates['right_by_rule']:.4f}, strict {rates['strict']:.4f}"
        )
    for row in figures["untrue_by_cause"]:
        kind = f"{row['truth']} {row['priority']}"
        yield f"    {kind:22} {row['rule']:18} {row['cause']:26} {row['a_patient_day']:.4f} ({row['alerts']})"


def _critical(found: Findings) -> dict[str, Any]:
    own = found.critical
    return {
        "falls": own.falls,
        "told": len(own.delays_s),
        "delay_s": _spread(own.delays_s),
        "standing": own.standing,
        "untold": len(own.untold_s),
        "untold_though_so_low_for_300_s": sum(low_s >= LONG_S for low_s in own.untold_s),
        "first_high_s": _spread(own.first_high_s),
    }


def _rates(found: Findings, priorities: Sequence[Priority], hours: float) -> dict[str, float]:
    false, short = (found.a_night((truth,), priorities) for truth in (Truth.FALSE, Truth.RIGHT_BY_RULE))
    return {"a_patient_day": false, "per_24_h": false * 24 / hours, "right_by_rule": short, "strict": false + short}


def _rate(count: int, nights: int) -> dict[str, float]:
    return {"alerts": count, "a_patient_day": count / nights}


def _spread(delays_s: Sequence[float]) -> dict[str, float | None]:
    return {"median": _percentile(delays_s, 50), "p95": _percentile(delays_s, 95)}


def _percentile(delays_s: Sequence[float], percent: int) -> float | None:
    return round(float(np.percentile(delays_s, percent)), 1) if delays_s else None


def _delay(spread: Mapping[str, float | None]) -> str:
    median, p95 = spread["median"], spread["p95"]
    return "not measured" if median is None else f"median {median:g} s, p95 {p95:g} s"


def _beside(column: Mapping[str, float | None]) -> str:
    here, ratio = column["here"], column["ratio"]
    shown = "-" if here is None else f"{here:.3f}"
    return f"{column['printed']:.2f}, {shown}, {'-' if ratio is None else f'{ratio:.2f}'}"
