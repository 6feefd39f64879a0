"""Puts into the log what patients are held to, where that is no more what the log says: a duty of its own.

All patients are compared, some hundreds in one transaction, when it begins (the profile may be another), and whenever
the registry or somewhere the day has changed, or an order has run out; those whose orders or baseline change, by
themselves, before all others. Patients under the profile's own limits, of whom nothing was ever said, need no event.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import structlog

from alerting.desk import Desk
from alerting.judging.held import to_payload
from alerting.judging.settling import News, Settler, Subject
from alerting.raising import facts_of
from alerting.zones import FALLBACK, is_zone, zone_of
from ingest.feed import PARTITION_COUNT, BatchKind
from ingest.store.log import append
from vitals.sustained import Limit

PATIENTS_MAX = 500
"""Patients compared in one transaction: bounds what others wait for, and an event's size."""

log = structlog.get_logger()


class Limits:
    """The duty: says what is new, and remembers under which circumstances all was said. Not thread-safe."""

    def __init__(self) -> None:
        self._settled: object = None
        self._unknown_zones: set[str] = set()

    def turn(self, desk_of: Callable[[], Desk]) -> int:
        """Compare whoever may be held to something else since the last turn; gives how many events that made.

        Whose own facts have changed comes first, and between any two pages of all: an order does not wait for a county.
        """
        zones, stamp = _stamp(desk_of())
        self._complain(zones)
        settler = Settler(desk_of().profile)
        said = _say_changed(desk_of, settler)
        if stamp != self._settled:
            said += _say_all(desk_of, settler)
            self._settled = stamp
        if said:
            log.info("limits_said", patients=said)
        return said

    def _complain(self, zones: Sequence[str]) -> None:
        """Say loudly, once, that a zone of the registry is none: days and hours of its patients are UTC's meanwhile."""
        for zone in {zone for zone in zones if not is_zone(zone)} - self._unknown_zones:
            log.error("time_zone_unknown", time_zone=zone, taken_for=FALLBACK, mend="organisation.time_zone")
            self._unknown_zones.add(zone)


def subject_of(row: Any) -> Subject:
    """Read a row of `patients_to_hold`."""
    orders = row.orders or {}
    return Subject(
        patient_id=row.patient_id,
        facts=replace(
            facts_of(row.born_on, row.special_groups),
            orders={rule: Limit(breach=breach, clear_at=over) for rule, (_, breach, over) in orders.items()},
            order_numbers={rule: number for rule, (number, _, _) in orders.items()},
            baseline=row.baseline,
        ),
        orders={rule: number for rule, (number, _, _) in orders.items()},
        said=row.said,
    )


def today(row: Any, now: datetime) -> date:
    """Say which day it is where a patient lives."""
    return now.astimezone(zone_of(row.time_zone)).date()


def save_baseline(desk: Desk, patient_id: int, spo2: int | None) -> None:
    """Keep a patient's personal baseline, scaled, in the caller's transaction; its limit follows by the log.

    None: he has too few sessions for one.
    """
    desk.run("save_baseline", patient_id=patient_id, spo2=spo2, now=desk.now)


def _stamp(desk: Desk) -> tuple[Sequence[str], object]:
    """Give the registry's time zones, and what changes whenever what anybody is held to may have."""
    row = desk.one("limits_stamp", now=desk.now)
    assert row is not None, "the registry has one version"
    zones = row.zones or ()
    days = {desk.now.astimezone(zone_of(zone)).date() for zone in zones}
    return zones, (desk.profile.profile_hash, row, frozenset(days))


def _say_all(desk_of: Callable[[], Desk], settler: Settler) -> int:
    said, after = 0, 0
    while True:
        desk = desk_of()
        with desk.connection.transaction():
            desk.run("lock_limits")
            rows = desk.all("patients_to_hold", after=after, among=None, most=PATIENTS_MAX, now=desk.now)
            said += _say(desk, settler, rows)
        if len(rows) < PATIENTS_MAX:
            return said
        after = rows[-1].patient_id
        said += _say_changed(desk_of, settler)


def _say_changed(desk_of: Callable[[], Desk], settler: Settler) -> int:
    """Compare everybody of whom something changed; gives how many events that made.

    Who can not be compared stays marked, for the next turn: the pages go on behind him.
    """
    said, after = 0, 0
    while True:
        desk = desk_of()
        with desk.connection.transaction():
            desk.run("lock_limits")
            dirty = sorted(row.patient_id for row in desk.all("take_dirty", after=after, most=PATIENTS_MAX))
            if dirty:
                rows = desk.all("patients_to_hold", after=0, among=dirty, most=PATIENTS_MAX, now=desk.now)
                said += _say(desk, settler, rows)
        if len(dirty) < PATIENTS_MAX:
            return said
        after = dirty[-1]


def _say(desk: Desk, settler: Settler, rows: Sequence[Any]) -> int:
    """Append what the log lacks of these patients, as the caller's last statement; gives how many events that is."""
    news = [each for row in rows if (each := _news(desk, settler, row)) is not None]
    for each in news:
        if each.wrong:
            log.error("not_held_as_meant", patient_id=each.patient_id, reasons=each.wrong.in_words())
    if news:
        lines = [each.line for each in news]
        desk.run("note_said", patients=[each.patient_id for each in news], lines=lines, now=desk.now)
        append(desk.connection, BatchKind.LIMITS, _parts(news), received_at=desk.now)
    return len(news)


def _news(desk: Desk, settler: Settler, row: Any) -> News | None:
    """Say what the log lacks of one patient; what can not be worked out stays as it was, marked to be tried anew."""
    try:
        return settler.news(subject_of(row), on=today(row, desk.now))
    except Exception:
        log.exception("limits_not_worked_out", patient_id=row.patient_id)
        desk.run("mark_dirty", patient_id=row.patient_id)
        return None


def _parts(news: Sequence[News]) -> list[tuple[int, bytes]]:
    lines: dict[int, list[str]] = {}
    for each in news:
        lines.setdefault(each.patient_id % PARTITION_COUNT, []).append(each.line)
    return [(partition, to_payload(lines[partition])) for partition in sorted(lines)]
