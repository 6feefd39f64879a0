"""Scores a patient by NEWS2 at each of his recent single measurements (alerting/spot/news2.py).

Consciousness has no device yet, so a score is partial: it raises by a single item of 3, not by a total. Oxygen is
known only of those the registry names as on oxygen at home.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerting.desk import Desk, instant, unix_ms
from alerting.judging.measured import measurements
from alerting.profile.patient import Held
from alerting.profile.singles import News2Rule
from alerting.spot.news2 import SIGNAL_OF, Item, Known, Score, score
from alerting.spot.scores import ScoreSpell, deciding, known_of, marked_elsewhere, score_spells
from care.registry import SpecialGroup
from vitals.signals import SIGNALS

SPAN = timedelta(days=1)
INSTANTS_MAX = 100
"""The newest measurements at which a patient is scored: bounds the reading of streams before each."""

Samples = dict[tuple[Item, int], list[tuple[int, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A patient's scores by their instants (Unix ms), and a rule's spells over them."""

    scores: Mapping[int, Score]
    spells: Sequence[ScoreSpell]


NOT_SCORED = Scored(scores={}, spells=())
"""Of a rule that does not hold for somebody."""


def scored(desk: Desk, patient_id: int, held: Held, *, received_by: datetime) -> dict[str, Scored]:
    """Score a patient over what is stored, by each rule that holds for him, in the caller's transaction."""
    rules = held.news2
    start = _beginning(desk, patient_id, rules, received_by)
    single = {
        item: sorted(
            (m.t_ms, m.value)
            for m in measurements(desk, patient_id, signal, start=start, received_by=received_by)
            if m.trusted
        )
        for item, signal in SIGNAL_OF.items()
    }
    facts = _facts(desk, patient_id)
    times = sorted({t_ms for points in single.values() for t_ms, _ in points})[-INSTANTS_MAX:]
    found_by_rule = {}
    for rule in rules:
        streams = _streams(desk, patient_id, times, rule, received_by)
        scores = {}
        for t_ms in times:
            flowing = {item: streams.get((item, t_ms), ()) for item in SIGNAL_OF}
            found = {item: known_of(single[item], flowing[item], at_ms=t_ms, rule=rule) for item in SIGNAL_OF}
            known = {item: Known(value=value, at_ms=t_ms) for item, value in facts.items()} | {
                item: each for item, each in found.items() if each
            }
            scores[t_ms] = score(
                marked_elsewhere(known, deciding(desk.profile.repeat, held.repeat)),
                at_ms=t_ms,
                within_ms=rule.complete_within_ms,
                spo2_scale=held.spo2_scale,
            )
        found_by_rule[rule.rule] = Scored(scores=scores, spells=score_spells(scores, rule))
    return found_by_rule


def _beginning(desk: Desk, patient_id: int, rules: Sequence[News2Rule], received_by: datetime) -> datetime:
    holding = desk.one("oldest_active", patient_id=patient_id, rules=[rule.rule for rule in rules])
    start = min(received_by - SPAN, holding.since) if holding and holding.since else received_by - SPAN
    return start - timedelta(milliseconds=max((rule.complete_within_ms for rule in rules), default=0))


def _facts(desk: Desk, patient_id: int) -> Mapping[Item, int]:
    """What is known of somebody at all times: that he is on oxygen at home. That he is not, nobody knows."""
    patient = desk.one("patient", patient_id=patient_id)
    return {Item.OXYGEN: 1} if patient and SpecialGroup.HOME_OXYGEN in patient.special_groups else {}


def _streams(desk: Desk, patient_id: int, times: Sequence[int], rule: News2Rule, received_by: datetime) -> Samples:
    items = {SIGNALS[signal].code: item for item, signal in SIGNAL_OF.items()}
    rows = desk.all(
        "stream_windows",
        patient_id=patient_id,
        instants=[instant(t_ms) for t_ms in times],
        span=timedelta(milliseconds=rule.stream_ms),
        received_by=received_by,
    )
    samples: Samples = {}
    for row in rows:
        samples.setdefault((items[row.code], unix_ms(row.at)), []).append((unix_ms(row.measured_at), row.value))
    return samples
