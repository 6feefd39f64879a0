"""Breathing from stored beats: the same rows whatever the batching, made anew by late beats, given as counts."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from alerting.derived.breathing import COUNTS_APART, EVERY, KEPT, counts, derive_breathing
from alerting.derived.respiration import WINDOW_S
from alerting.desk import instant
from alerting.spot.repeat import repeat_spells
from ingest.store.registry import Registry
from tests.alerting.streams import profile
from tests.alerting.ward import T0, Ward
from tests.ingest.county import Home, connect, put
from vitals.signals import SIGNALS, Signal

RR = SIGNALS[Signal.RR_INTERVAL].code
BAND = "C0:00:00:00:00:01"
Beats = list[tuple[datetime, int]]


def breathing_heart(*, seconds: int, rate_per_min: float, heart_ms: int = 800, start: datetime = T0) -> Beats:
    """Draw beats, each with the interval it ends, of a heart that breathing moves."""
    beats, at_s = [], 0.0
    while at_s < seconds:
        interval_ms = round(heart_ms + 40 * np.sin(2 * np.pi * rate_per_min / 60 * at_s))
        at_s += interval_ms / 1000
        beats.append((start + timedelta(milliseconds=round(at_s * 1000)), interval_ms))
    return beats


class Band:
    """A heart rate band whose beats ingest stores; the ward's clock stands at what is received."""

    def __init__(self, ward: Ward) -> None:
        self._ward, self._home, self._registry = ward, Home(), Registry()
        self._connection = connect(ward.dsn)

    def close(self) -> None:
        self._connection.close()

    def store(self, beats: Beats, *, received_at: datetime) -> None:
        for at in range(0, len(beats), 40):
            part = beats[at : at + 40]
            t0_ms = round(part[0][0].timestamp() * 1000)
            rows = [(round(when.timestamp() * 1000) - t0_ms, RR, value) for when, value in part]
            message = self._home.message(rows, devices=[BAND], t0_ms=t0_ms)
            stored = put(
                self._connection, message, received_ms=round(received_at.timestamp() * 1000), registry=self._registry
            )
            assert stored
        self._ward.now = received_at

    def derived(self) -> list[tuple[datetime, int | None, float]]:
        rows = self._ward.connection.execute(
            "SELECT window_end, rate, quality FROM derived_respiration ORDER BY window_end"
        ).fetchall()
        return [(row.window_end, row.rate, row.quality) for row in rows]


@pytest.fixture
def band(ward: Ward) -> Iterator[Band]:
    """The band of patient 1."""
    made = Band(ward)
    yield made
    made.close()


def test_beats_in_any_batching_give_the_same_windows(ward: Ward, band: Band) -> None:
    beats = breathing_heart(seconds=200, rate_per_min=15)
    for size in (3, 40, 400):
        ward.connection.execute("TRUNCATE derived_respiration; TRUNCATE sample; TRUNCATE outbox_account CASCADE")
        band._home = Home()
        for at in range(0, len(beats), size):
            part = beats[at : at + size]
            band.store(part, received_at=part[-1][0])
            derive_breathing(ward.desk(), [1], ward.now, earliest={1: part[0][0]})
        found = band.derived()
        assert [end for end, _, _ in found] == [T0 + EVERY * n for n in range(1, 7)], size
        if size == 3:
            first = found
        assert found == first, size
    full = [rate for end, rate, _ in first if end >= T0 + timedelta(seconds=WINDOW_S)]
    assert full
    assert all(rate == pytest.approx(1500, abs=40) for rate in full)


def test_a_window_that_is_not_full_yet_gives_no_number(ward: Ward, band: Band) -> None:
    band.store(breathing_heart(seconds=50, rate_per_min=15), received_at=T0 + timedelta(seconds=50))
    assert derive_breathing(ward.desk(), [1], ward.now) == {1: 1}
    ((end, rate, quality),) = band.derived()
    assert (end, rate) == (T0 + EVERY, None)
    assert quality < 0.5


def test_deriving_again_changes_nothing(ward: Ward, band: Band) -> None:
    band.store(breathing_heart(seconds=120, rate_per_min=15), received_at=T0 + timedelta(seconds=120))
    assert sum(derive_breathing(ward.desk(), [1, 2, 3], ward.now).values()) == 4
    before = band.derived()
    ward.now += timedelta(seconds=20)
    assert derive_breathing(ward.desk(), [1, 2, 3], ward.now) == {}
    assert band.derived() == before


def test_late_beats_make_their_windows_anew(ward: Ward, band: Band) -> None:
    beats = breathing_heart(seconds=600, rate_per_min=15)
    missing = [beat for beat in beats if T0 + timedelta(seconds=200) < beat[0] < T0 + timedelta(seconds=230)]
    band.store([beat for beat in beats if beat not in missing], received_at=beats[-1][0])
    derive_breathing(ward.desk(), [1], ward.now, earliest={1: T0})
    lost = {end for end, rate, _ in band.derived() if rate is None and end > T0 + timedelta(seconds=WINDOW_S)}
    assert lost
    assert all(T0 + timedelta(seconds=200) < end < T0 + timedelta(seconds=230 + WINDOW_S) for end in lost)
    band.store(missing, received_at=ward.now + timedelta(seconds=30))
    assert derive_breathing(ward.desk(), [1], ward.now) == {}, "too long ago for a call that does not say"
    assert derive_breathing(ward.desk(), [1], ward.now, earliest={1: missing[0][0]})[1] >= len(lost)
    assert [end for end, rate, _ in band.derived() if rate is None] == [T0 + EVERY]


def test_a_heart_that_does_not_breathe_gives_rows_without_a_number(ward: Ward, band: Band) -> None:
    draw = np.random.default_rng(5)
    beats, at = [], T0
    while at < T0 + timedelta(seconds=300):
        interval_ms = int(draw.normal(800, 30))
        at += timedelta(milliseconds=interval_ms)
        beats.append((at, interval_ms))
    band.store(beats, received_at=at)
    assert derive_breathing(ward.desk(), [1], ward.now, earliest={1: T0}) == {1: 10}
    assert {rate for _, rate, _ in band.derived()} == {None}


def test_rates_are_kept_for_their_time(ward: Ward, band: Band) -> None:
    old = T0 - KEPT - timedelta(minutes=5)
    ward.connection.execute(
        "INSERT INTO derived_respiration VALUES (1, 11, %s, 1500, 0.9, 'rr_interval', %s)", [old, old]
    )
    band.store(breathing_heart(seconds=90, rate_per_min=15), received_at=T0 + timedelta(seconds=90))
    derive_breathing(ward.desk(), [1], ward.now)
    assert band.derived()[0][0] > T0


(RR_SEVERE,) = (rule for rule in profile().repeat if rule.rule == "RR-SEVERE")


def test_counts_share_no_beat_and_two_of_them_raise(ward: Ward, band: Band) -> None:
    beats = breathing_heart(seconds=500, rate_per_min=34, heart_ms=600)
    band.store(beats, received_at=beats[-1][0])
    derive_breathing(ward.desk(), [1], ward.now, earliest={1: T0})
    found = counts(ward.desk(), 1, start=T0, received_by=ward.now)
    assert len(found) >= 4
    assert all(b.t_ms - a.t_ms == COUNTS_APART.total_seconds() * 1000 for a, b in pairwise(found))
    assert COUNTS_APART.total_seconds() >= WINDOW_S
    assert all(each.value == pytest.approx(3400, abs=60) for each in found)
    (spell,) = repeat_spells(found, RR_SEVERE)
    assert spell.raised_ms == found[1].t_ms
    assert repeat_spells(found[:1], RR_SEVERE) == []


def test_a_wearable_gives_rates_and_no_counts(ward: Ward, band: Band) -> None:
    ward.connection.execute("UPDATE device SET wellness = true WHERE device_id = 11")
    ward.connection.execute("UPDATE registry_version SET version = version + 1")
    beats = breathing_heart(seconds=300, rate_per_min=34, heart_ms=600)
    band.store(beats, received_at=beats[-1][0])
    derive_breathing(ward.desk(), [1], ward.now, earliest={1: T0})
    assert any(rate is not None for _, rate, _ in band.derived())
    assert counts(ward.desk(), 1, start=T0, received_by=ward.now) == []


def test_fast_breathing_seen_in_beats_alone_raises_with_its_second_count(ward: Ward, band: Band) -> None:
    beats = breathing_heart(seconds=500, rate_per_min=34, heart_ms=600)
    told = []
    for at in range(0, len(beats), 40):
        part = beats[at : at + 40]
        band.store(part, received_at=part[-1][0])
        ward.judge.catch_up(ward.desk)
        told.append([episode.rule for episode in ward.episodes()])
    assert told[0] == []
    (episode,) = ward.episodes()
    assert (episode.rule, episode.priority) == ("RR-SEVERE", "high")
    first, second, *_ = counts(ward.desk(), 1, start=T0, received_by=ward.now)
    assert (episode.since, episode.raised_at) == (instant(first.t_ms), instant(second.t_ms))
    assert episode.evidence["session"] == "derived"


def test_one_fast_count_from_beats_raises_nothing_however_long_no_other_comes(ward: Ward, band: Band) -> None:
    beats = breathing_heart(seconds=125, rate_per_min=34, heart_ms=600)
    band.store(beats, received_at=beats[-1][0])
    ward.judge.catch_up(ward.desk)
    assert len(counts(ward.desk(), 1, start=T0, received_by=ward.now)) == 1
    ward.pass_time(seconds=1200)
    assert [episode for episode in ward.episodes() if not episode.technical] == []


def test_of_a_long_upload_the_newest_windows_come_first_and_the_others_later(
    ward: Ward, band: Band, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerting.derived.breathing.WINDOWS_MAX", 6)
    beats = breathing_heart(seconds=480, rate_per_min=15)
    band.store(beats[:-2], received_at=beats[-3][0])
    ends = [T0 + EVERY * n for n in range(1, 16)]
    assert derive_breathing(ward.desk(), [1], ward.now, earliest={1: T0}) == {1: 6}
    assert [end for end, _, _ in band.derived()] == ends[-6:]
    assert derive_breathing(ward.desk(), [1], ward.now) == {1: 6}
    assert [end for end, _, _ in band.derived()] == ends[-12:]
    assert derive_breathing(ward.desk(), [1], ward.now) == {1: 3}
    assert [end for end, _, _ in band.derived()] == ends
    assert derive_breathing(ward.desk(), [1], ward.now) == {}
