"""What a home hears and sees: the patterns of IEC 60601-1-8, and which of them is due.

Sound (its tables of bursts and pulses): high priority is ten pulses of 75-200 ms in two groups of three and two, bursts
2.5-15 s apart; medium is three pulses of 125-250 ms, bursts 2.5-30 s apart. Light (its table of indicator lights):
high flashes at 1.4-2.8 Hz, medium at 0.4-0.8 Hz, low is steady. A pause takes the sound away and leaves the light.
"""

from dataclasses import dataclass
from enum import StrEnum


class Notice(StrEnum):
    """What there is to say, the most urgent last; TEST is for the technician."""

    NONE = "none"
    UNREACHABLE = "unreachable"
    MEASURE_AGAIN = "measure_again"
    DANGER = "danger"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """Machine times. `pulses_ms`: sound and rest in turn, empty for silence; `gap_s`: from a burst's end to the next.

    `light_ms`: on and off; (1, 0) is steady, (0, 1) dark.
    """

    pulses_ms: tuple[int, ...]
    gap_s: float
    light_ms: tuple[int, int]

    @property
    def burst_s(self) -> float:
        """How long one burst lasts."""
        return sum(self.pulses_ms) / 1000


DARK, STEADY = (0, 1), (1, 0)
_FIVE = (150, 100, 150, 100, 150, 350, 150, 100, 150)
_TEN = (*_FIVE, 700, *_FIVE)

PATTERNS: dict[Notice, Pattern] = {
    Notice.NONE: Pattern(pulses_ms=(), gap_s=0, light_ms=DARK),
    Notice.UNREACHABLE: Pattern(pulses_ms=(), gap_s=0, light_ms=STEADY),
    Notice.MEASURE_AGAIN: Pattern(pulses_ms=(200, 200, 200, 200, 200), gap_s=15, light_ms=(1000, 1000)),
    Notice.DANGER: Pattern(pulses_ms=_TEN, gap_s=5, light_ms=(250, 250)),
    Notice.TEST: Pattern(pulses_ms=_TEN, gap_s=5, light_ms=(250, 250)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is due now, and whether it is heard or only seen."""

    notice: Notice = Notice.NONE
    is_audible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What decides: `is_armed` whether this home is to help itself now."""

    is_armed: bool
    is_in_danger: bool
    awaits_repeat: bool
    is_unreachable: bool
    is_paused: bool


def due(now: Situation) -> Shown:
    """Give the most urgent notice that is due."""
    table = (
        (now.is_armed and now.is_in_danger, Notice.DANGER),
        (now.is_armed and now.awaits_repeat, Notice.MEASURE_AGAIN),
        (now.is_unreachable, Notice.UNREACHABLE),
        (True, Notice.NONE),
    )
    return Shown(notice=next(notice for is_due, notice in table if is_due), is_audible=not now.is_paused)
