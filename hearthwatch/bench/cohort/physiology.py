"""Simulated nights of oxygen saturation, second by second: what the blood did, and what the oximeter said of it.

Independent of any rule: nothing here knows a limit, a window or a priority, except that a decline's plateau lies where
a clinician would call it low. It is meant to be criticised, so every number stands in `Physiology` with its source or
the word "invented". What it leaves out, and what that makes look better than it is, stands in docs/bench.md.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from hearthwatch.bench.cohort.scenarios import Physiology
from vitals.quality import Quality
from vitals.reading import NO_VALUE

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Scaled = npt.NDArray[np.int16]
Draw = np.random.Generator


class Cause(IntEnum):
    """Why a second reads as it does; the last one that touched it."""

    PLAIN = 0
    MOVEMENT = 1
    COLD_FINGER = 2
    PROBE_OFF = 3
    APNOEA = 4
    SHORT_FALL = 5
    DECLINE = 6


ARTEFACTS = (Cause.MOVEMENT, Cause.COLD_FINGER, Cause.PROBE_OFF)
"""What the reading says of these seconds is not the blood's."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """Who sleeps: his level, and how often he stops breathing (dips an hour; 0 for most)."""

    level: Floats
    dips_per_hour: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Night:
    """One night of everybody, shape (patients, seconds): the blood, and what was said with which quality and why."""

    blood: Floats
    values: Scaled
    quality: Bytes
    cause: Bytes


def people(count: int, draw: Draw, numbers: Physiology) -> People:
    """Draw patients."""
    level = draw.normal(numbers.level_mean, numbers.level_spread, count).clip(numbers.level_least, numbers.level_most)
    share, low, high = np.array(numbers.apnoea_per_hour).T
    kind = draw.choice(len(share), count, p=share)
    rate = draw.uniform(low[kind], high[kind])
    affected = draw.random(count) < numbers.apnoea_share
    return People(level=level.astype(np.float32), dips_per_hour=np.where(affected, rate, 0).astype(np.float32))


def sleep(who: People, seconds: int, draw: Draw, numbers: Physiology) -> Night:
    """Let everybody sleep through one night."""
    count = len(who.level)
    blood = np.empty((count, seconds), np.float32)
    values = np.empty((count, seconds), np.int16)
    quality = np.zeros((count, seconds), np.uint8)
    cause = np.zeros((count, seconds), np.uint8)
    for row in range(count):
        one = _Sleeper(seconds, draw, numbers, cause[row], quality[row])
        blood[row] = one.bleed(float(who.level[row]), float(who.dips_per_hour[row]))
        values[row] = one.read(blood[row])
    return Night(blood=blood, values=values, quality=quality, cause=cause)


class _Sleeper:
    """One patient's night. `cause` and `quality` are his rows of the night, written here."""

    def __init__(self, seconds: int, draw: Draw, numbers: Physiology, cause: Bytes, quality: Bytes) -> None:
        self._seconds, self._draw, self._of = seconds, draw, numbers
        self._cause, self._quality = cause, quality
        self._time = np.arange(seconds, dtype=np.float32)
        self._away: list[slice] = []

    def bleed(self, level: float, dips_per_hour: float) -> Floats:
        """Give the saturation of the blood, without any noise."""
        blood = self._level(level)
        if dips_per_hour:
            self._stop_breathing(blood, dips_per_hour)
        if self._draw.random() < self._of.short_share:
            self._fall_shortly(blood)
        if self._draw.random() < self._of.decline_share:
            self._decline(blood)
        return blood.clip(50.0, 100.0)

    def read(self, blood: Floats) -> Scaled:
        """Give what the oximeter says of it: averaged, noisy, disturbed, in whole per cent."""
        draw, of = self._draw, self._of
        seen = blood.copy()
        for begin in np.flatnonzero(draw.random(self._seconds) < of.artefacts_per_hour / 3600).tolist():
            self._disturb(seen, begin)
        noise = _smooth(draw.standard_normal(self._seconds, np.float32), of.noise_s) * np.sqrt(of.noise_s)
        said = _smooth(seen, of.averaging_s) + of.noise * noise
        values: Scaled = np.round(said.clip(1.0, 100.0)).astype(np.int16) * np.int16(100)
        for away in self._away:
            bad = draw.random() < 0.5  # half says something questionable, half nothing
            self._flag(away, Quality.QUESTIONABLE if bad else Quality.INVALID)
            if not bad:
                values[away] = NO_VALUE
        return values

    def _level(self, level: float) -> Floats:
        periods, phases = self._draw.uniform(1800, 7200, 2), self._draw.uniform(0, 2 * np.pi, 2)
        waves = sum(np.sin(2 * np.pi * self._time / p + a) for p, a in zip(periods, phases, strict=True))
        wander: Floats = (self._of.wander * np.asarray(waves) / 2).astype(np.float32)
        course: Floats = np.maximum(level + wander, self._of.level_least).astype(np.float32)
        return course

    def _stop_breathing(self, blood: Floats, per_hour: float) -> None:
        """Dips that fall over two thirds of their time and come back fast, in clusters."""
        of, draw = self._of, self._draw
        at = draw.uniform(0, 1800)
        while at < self._seconds:
            cluster_end = at + draw.uniform(1200, 3600)
            while at < min(cluster_end, self._seconds):
                length = draw.uniform(*of.apnoea_s)
                depth = min(self._lognormal(of.apnoea_depth), of.apnoea_depth_most)
                self._dip(blood, round(at), round(length), depth)
                at += max(length + 5, draw.exponential(3600 / per_hour * of.apnoea_of_the_night))
            at += draw.exponential(2400 * (1 - of.apnoea_of_the_night) / of.apnoea_of_the_night)

    def _dip(self, blood: Floats, begin: int, length: int, depth: float) -> None:
        place = np.arange(min(length, self._seconds - begin), dtype=np.float32) / max(length, 1)
        shape = np.where(place < 2 / 3, place * 1.5, (1 - place) * 3)
        blood[begin : begin + len(place)] -= depth * shape
        self._cause[begin : begin + len(place)] = Cause.APNOEA

    def _fall_shortly(self, blood: Floats) -> None:
        of, draw = self._of, self._draw
        length = round(draw.uniform(*of.short_s))
        begin = round(draw.uniform(0, self._seconds - length))
        time = self._time - begin
        shape = np.clip(np.minimum(time / 20, (length - time) / 20), 0, 1)
        self._press(blood, draw.uniform(*of.short_to), shape, Cause.SHORT_FALL)

    def _decline(self, blood: Floats) -> None:
        of, draw = self._of, self._draw
        falling = draw.uniform(*(of.decline_slow_s if draw.random() < of.decline_slow_share else of.decline_quick_s))
        holding, back = draw.uniform(*of.decline_holds_s), draw.uniform(*of.decline_back_s)
        begin = draw.uniform(0, max(self._seconds - falling - of.decline_holds_s[0], 1))
        time = self._time - begin
        shape = np.clip(np.minimum(time / falling, 1 - (time - falling - holding) / back), 0, 1)
        self._press(blood, draw.uniform(*of.decline_to), shape, Cause.DECLINE)
        if draw.random() < of.intermittent_share:
            self._come_and_go(np.flatnonzero(shape > 0))

    def _press(self, blood: Floats, to: float, shape: Any, cause: Cause) -> None:
        """Bring the blood down to a value, where the shape is 1."""
        blood -= (np.maximum(blood - to, 0) * shape).astype(np.float32)
        self._cause[shape > 0] = cause

    def _come_and_go(self, seconds: npt.NDArray[np.intp]) -> None:
        of, draw = self._of, self._draw
        at, there, away = int(seconds[0]), 0.0, 0.0
        while at < seconds[-1]:
            stay = draw.uniform(*of.intermittent_there_s)
            go = min(draw.uniform(*of.intermittent_away_s), max(there + stay - away, 1.0))
            there, away = there + stay, away + go
            begin = round(at + stay)
            self._away.append(slice(begin, min(begin + round(go), self._seconds)))
            at = begin + round(go)

    def _disturb(self, seen: Floats, begin: int) -> None:
        """Lay an artefact over what the sensor sees; the averaging that follows smooths it like anything else."""
        of, draw = self._of, self._draw
        which = draw.random()
        if which < of.movement_share:
            cause, flagged, length = Cause.MOVEMENT, of.movement_flagged_share, draw.uniform(*of.movement_s)
        elif which < of.movement_share + of.cold_share:
            cause, flagged, length = Cause.COLD_FINGER, of.cold_flagged_share, self._lognormal(of.cold_s)
        else:
            length = min(self._lognormal(of.probe_off_s), of.probe_off_most_s)
            cause, flagged = Cause.PROBE_OFF, of.probe_off_flagged_share
        where = slice(begin, min(begin + max(round(length), 1), self._seconds))
        seen[where] = self._artefact(cause, seen[where])
        self._cause[where] = cause
        if draw.random() < flagged:
            is_off = cause is Cause.PROBE_OFF and draw.random() < of.probe_off_invalid_share
            self._flag(where, Quality.INVALID if is_off else Quality.QUESTIONABLE)

    def _flag(self, where: slice, quality: Quality) -> None:
        """Call seconds bad, unless they are called worse already: who moves with the probe off has it off."""
        self._quality[where] = np.maximum(self._quality[where], quality)

    def _artefact(self, cause: Cause, seen: Floats) -> Floats:
        of, draw = self._of, self._draw
        if cause is Cause.MOVEMENT:
            burst = draw.uniform(*of.movement_depth) * draw.uniform(0.5, 1.0, len(seen))
            return (seen - burst).astype(np.float32)
        if cause is Cause.COLD_FINGER:
            return (seen - draw.uniform(*of.cold_depth)).astype(np.float32)
        if draw.random() < of.junk_stuck_share:
            return np.full(len(seen), draw.uniform(*of.junk), np.float32)
        turns = np.cumsum(draw.uniform(*of.junk_turn_s, len(seen)))
        levels = draw.uniform(*of.junk, len(seen) + 1)
        return levels[np.searchsorted(turns, np.arange(len(seen)))].astype(np.float32)

    def _lognormal(self, median_and_spread: tuple[float, float]) -> float:
        median, spread = median_and_spread
        return float(self._draw.lognormal(np.log(median), spread))


def _smooth(course: Floats, length: int) -> Floats:
    """Average over the last `length` seconds; at the beginning over those there are."""
    total = np.cumsum(course, dtype=np.float64)
    behind = np.concatenate([np.zeros(length), total[:-length]])
    average: Floats = ((total - behind) / np.minimum(np.arange(1, len(course) + 1), length)).astype(np.float32)
    return average
