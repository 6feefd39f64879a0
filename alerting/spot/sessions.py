"""Spot sessions: what one stay of a finger in a clip that streams gives as one measurement (CLINICAL 3.1).

A session ends at the first instant at which valid samples have come for `at_least_ms` and those of the last
`median_of_last_ms` differ by at most `spread_max`, the newest whole percent having stood still for `unchanged_ms`. Its
value is their median, the lower one of two: SpO2 is never rounded up. The next session of a finger that stays begins
with the next sample, so a fall under a clip that is left on is seen. Finger out, `gap_ms` without a number, or
`give_up_ms` without rest end it `unstable`: somebody must be asked to measure again. The last may still be `open`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from statistics import median_low

from alerting.profile.singles import SessionRule
from vitals.signals import SIGNALS, Signal

_PERCENT = SIGNALS[Signal.SPO2].scale


class Status(StrEnum):
    """What came of a session; only a stable one is a measurement."""

    STABLE = "stable"
    UNSTABLE = "unstable"  # asks for a repeat
    REMAINDER = "remainder"  # cut short after a stable one of the same clip: asks for nothing
    OPEN = "open"  # as far as is stored: the finger is in still, or its end was not heard


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipSample:
    """What the device said at one instant; `value` None: no number. `pulse` is a good one."""

    t_ms: int
    value: int | None
    good: bool = True
    finger_out: bool = False
    pulse: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session, from its first number to the instant it ended; `value` (if not stable) is what was seen last."""

    start_ms: int
    at_ms: int
    value: int
    pulse: int | None
    status: Status


def form_sessions(
    samples: Iterable[ClipSample], rule: SessionRule, *, previous: Session | None = None
) -> list[Session]:
    """Form the sessions of one patient's samples of one device, in whatever order they are given.

    `previous` is the session these samples follow, if its clip may go on in them.
    """
    sessions = [previous] if previous else []
    clip = _Clip(rule)
    for sample in _in_order(samples):
        clip.follow(sessions, sample.t_ms)
        if sample.finger_out:
            sessions += clip.cut()
            clip.same_finger = False
        elif sample.value is not None:
            sessions += clip.take(sample, sample.value)
    return [*sessions[1 if previous else 0 :], *clip.rest()]


def _in_order(samples: Iterable[ClipSample]) -> list[ClipSample]:
    """Sort by time; of several at one instant the worst counts: finger out, then the lowest number."""

    def worst_first(sample: ClipSample) -> tuple[bool, bool, int, bool, int]:
        return (not sample.finger_out, sample.value is None, sample.value or 0, sample.good, sample.pulse or 0)

    ordered = sorted(samples, key=lambda sample: sample.t_ms)
    return [min(same, key=worst_first) for _, same in groupby(ordered, key=lambda sample: sample.t_ms)]


class _Clip:
    def __init__(self, rule: SessionRule) -> None:
        self.rule = rule
        self.numbers: list[tuple[ClipSample, int]] = []
        self.valid: list[tuple[ClipSample, int]] = []
        self.same_finger = True

    def follow(self, sessions: list[Session], t_ms: int) -> None:
        """Cut where nothing was heard for too long; a finger is the same one only after a stable session."""
        before = sessions[-1] if sessions else None
        newest_ms = self.numbers[-1][0].t_ms if self.numbers else before.at_ms if before else t_ms
        heard = t_ms - newest_ms <= self.rule.gap_ms
        if not heard:
            sessions += self.cut()
        if not heard or (not self.numbers and (before is None or before.status is not Status.STABLE)):
            self.same_finger = False

    def take(self, sample: ClipSample, value: int) -> list[Session]:
        """Add a number; gives the session it ends, if it ends one."""
        self.numbers.append((sample, value))
        if sample.good:
            if self.valid and sample.t_ms - self.valid[-1][0].t_ms > self.rule.gap_ms:
                self.valid = []
            self.valid.append((sample, value))
            if self._is_stable():
                return self._end(Status.STABLE)
        if sample.t_ms - self.numbers[0][0].t_ms >= self.rule.give_up_ms:
            return self._end(Status.UNSTABLE)
        return []

    def cut(self) -> list[Session]:
        """End what goes on without having come to rest."""
        if not self.numbers:
            return []
        length_ms = self.numbers[-1][0].t_ms - self.numbers[0][0].t_ms
        short = self.same_finger and length_ms < self.rule.at_least_ms
        return self._end(Status.REMAINDER if short else Status.UNSTABLE)

    def rest(self) -> list[Session]:
        """Give what has not ended yet."""
        return self._end(Status.OPEN) if self.numbers else []

    def _is_stable(self) -> bool:
        newest, value = self.valid[-1]
        if newest.t_ms - self.valid[0][0].t_ms < self.rule.at_least_ms:
            return False
        window = [v for _, v in _last(self.valid, self.rule.median_of_last_ms)]
        if max(window) - min(window) > self.rule.spread_max:
            return False
        still_ms = newest.t_ms
        for sample, earlier in reversed(self.valid):
            if earlier // _PERCENT != value // _PERCENT:
                break
            still_ms = sample.t_ms
        return newest.t_ms - still_ms >= self.rule.unchanged_ms

    def _end(self, status: Status) -> list[Session]:
        seen = _last(self.valid or self.numbers, self.rule.median_of_last_ms)
        pulses = [sample.pulse for sample, _ in seen if sample.pulse is not None]
        session = Session(
            start_ms=self.numbers[0][0].t_ms,
            at_ms=self.numbers[-1][0].t_ms,
            value=median_low([value for _, value in seen]),
            pulse=median_low(pulses) if pulses else None,
            status=status,
        )
        self.numbers, self.valid, self.same_finger = [], [], True
        return [session]


def _last(samples: Sequence[tuple[ClipSample, int]], span_ms: int) -> list[tuple[ClipSample, int]]:
    newest_ms = samples[-1][0].t_ms
    return [each for each in samples if newest_ms - each[0].t_ms <= span_ms]
