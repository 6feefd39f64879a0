"""Rehearses two profiles over what is stored of some patients: one at a time, a day of his at a time."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from alerting.course.singles import TooMany
from alerting.desk import Connection, unix_ms
from alerting.engine.partition import Step, fastest
from alerting.episodes import State
from alerting.profile.patient import LimitRefused
from alerting.profile.profile import Profile
from alerting.rehearsal.beyond import Beyond
from alerting.rehearsal.difference import difference
from alerting.rehearsal.lived import Lived, families_of
from alerting.rehearsal.progress import Progress
from alerting.rehearsal.reading import Subject, read_devices, read_record, read_samples, read_subject
from alerting.rehearsal.report import MS_PER_DAY, NEW, SIDES, STANDING, Rehearsed, Report
from alerting.rehearsal.spans import Span, spans_of
from alerting.spot.arrivals import Devices

STREAM_LEAD = timedelta(days=1)
"""How long before the asked days streams are read: what holds when they begin was raised before them."""

SINGLE_LEAD = timedelta(days=14)
"""The same for single measurements: a fever is of days."""

NO_DATA = "no data in these days"

Tell = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which days are rehearsed, under which profiles."""

    begins_at: datetime
    ends_at: datetime
    standing: Profile
    new: Profile
    site_altitude_m: int = 0
    answered: bool = True
    """Whether every alarm is taken to have been answered before the next; nobody closes one."""

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """The profiles by side."""
        return {STANDING: self.standing, NEW: self.new}


def rehearse_panel(connection: Connection, patients: Sequence[int], asked: Asked, tell: Tell) -> Report:
    """Judge all of these patients; whoever can not be judged is named in the report."""
    devices, step = read_devices(connection), fastest()
    report = Report(asked.standing, asked.new, begins_at=asked.begins_at, ends_at=asked.ends_at)
    for number, patient_id in enumerate(patients):
        subject = read_subject(connection, patient_id, site_altitude_m=asked.site_altitude_m)
        one = _Rehearsal(connection, subject, asked, devices, step=step)
        try:
            found = one.run(_teller(tell, number, len(patients)))
        except (LimitRefused, TooMany) as exc:
            report.skip(subject.key, str(exc))
            continue
        if found is None:
            report.skip(subject.key, NO_DATA)
        else:
            report.take(found)
    tell(_progress(len(patients), len(patients), 0.0))
    return report


def timed() -> Callable[[], float]:
    """Give a stopwatch that runs: seconds since now."""
    begun = time.monotonic()
    return lambda: time.monotonic() - begun


class _Rehearsal:
    """One patient under both profiles."""

    def __init__(self, connection: Connection, subject: Subject, asked: Asked, devices: Devices, *, step: Step) -> None:
        self._connection, self._subject, self._asked, self._devices = connection, subject, asked, devices
        begin_ms = unix_ms(asked.begins_at - STREAM_LEAD)
        self._lived = {
            side: Lived(profile, subject.patient, begin_ms=begin_ms, step=step)
            for side, profile in asked.profiles.items()
        }
        self._beyond = Beyond(asked.standing)
        self._days: set[int] = set()
        self._stream_days: set[int] = set()

    def run(self, tell: Callable[[float], None]) -> Rehearsed | None:
        """Judge his days; None where nothing was stored in them. Raises LimitRefused, TooMany."""
        asked = self._asked
        edges = [asked.begins_at - SINGLE_LEAD, asked.begins_at - STREAM_LEAD, asked.begins_at, asked.ends_at]
        facts, orders = self._subject.patient.facts, self._subject.orders
        spans = spans_of(facts, orders, zone=self._subject.zone, edges=edges)
        for number, span in enumerate(spans):
            tell(number / len(spans))
            self._take(span)
        return self._said() if self._days else None

    def _take(self, span: Span) -> None:
        asked, begin_ms, end_ms = self._asked, unix_ms(span.begins_at), unix_ms(span.ends_at)
        streams_too = span.begins_at >= asked.begins_at - STREAM_LEAD
        samples = read_samples(
            self._connection, self._subject.patient_id, span.begins_at, span.ends_at, streams_too=streams_too
        )
        held = {side: lived.held(span.facts, span.on) for side, lived in self._lived.items()}
        for side, lived in self._lived.items():
            lived.take(samples, held[side], self._devices, begin_ms=begin_ms, end_ms=end_ms)
        if span.begins_at >= asked.begins_at:
            self._beyond.take(samples, held[STANDING], self._devices)
            day = (samples.t_ms - unix_ms(asked.begins_at)) // MS_PER_DAY
            self._days |= set(np.unique(day).tolist())
            self._stream_days |= set(np.unique(day[samples.streamed]).tolist())

    def _said(self) -> Rehearsed:
        asked, subject = self._asked, self._subject
        from_ms, until_ms = unix_ms(asked.begins_at), unix_ms(asked.ends_at)
        state = State.ACK if asked.answered else State.UNACK
        pages = {side: lived.pages(until_ms=until_ms, state=state) for side, lived in self._lived.items()}
        recorded, count = read_record(self._connection, subject.patient_id, asked.begins_at, asked.ends_at)
        families = families_of(asked.standing)
        return Rehearsed(
            patient=subject.key,
            zone=subject.zone,
            days_with_data=len(self._days),
            stream_days=len(self._stream_days),
            streamed_ms=self._beyond.streamed_ms,
            pages={side: [page for page in pages[side] if page.at_ms >= from_ms] for side in SIDES},
            difference=difference(pages[STANDING], pages[NEW], recorded, from_ms=from_ms),
            unpaged={side: self._beyond.unpaged(pages[side], families, from_ms=from_ms) for side in SIDES},
            orders_refused={side: self._lived[side].refused for side in SIDES},
            recorded_pages=count,
        )


def _teller(tell: Tell, done: int, of: int) -> Callable[[float], None]:
    return lambda share: tell(_progress(done, of, share))


def _progress(done: int, of: int, share: float) -> Progress:
    return Progress(done=done, of=of, percent=int(100 * (done + share) / max(of, 1)))
