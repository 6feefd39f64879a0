"""The numbers that simulated nights are drawn from, and the scenarios made of them.

"Row N" is a row of CLINICAL 3.4's table, from the top: 1 raw values, 2 to 5 windows of 15, 60, 120 and 300 s gated,
6 the 300 s not gated. A number "calibrated to row N" is invented, and chosen so that the nights are at least as hard
there as that table's, for people with and without apnoea, and less than twice as hard where that can be told
(hardness.py measures it in every run).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Physiology:
    """The cohort's numbers. Ranges are uniform, (median, spread) lognormal with the spread of its logarithm."""

    # The blood.
    level_mean: float = 96.0  # asleep; adults awake have 95-99, sleep takes about a point (invented within that)
    level_spread: float = 1.1  # invented
    level_least: float = 93.6  # who sleeps lower needs limits of his own (CLINICAL 2.4) and is not in the cohort
    level_most: float = 99.0
    wander: float = 0.5  # slow waves of half an hour and more, points (invented)

    # Sleep apnoea: 27 % of patients as in CLINICAL 3.4; dips of 10-60 s, Jung and Behar's points A to C (CLINICAL 3.2).
    apnoea_share: float = 0.27
    apnoea_per_hour: tuple[tuple[float, float, float], ...] = ((0.9, 10, 18), (0.07, 18, 30), (0.03, 30, 60))
    """(share of those affected, dips an hour from, to): mild to severe; calibrated to row 2: dense dips merge."""
    apnoea_depth: tuple[float, float] = (5.2, 0.45)  # points, lognormal (calibrated to rows 2 and 3)
    apnoea_depth_most: float = 22.0
    apnoea_s: tuple[float, float] = (15.0, 54.0)  # within CLINICAL 3.2's; calibrated to rows 2 and 3
    apnoea_of_the_night: float = 0.95  # they come in so much of the night, in clusters (calibrated to row 2)

    # Declines: 60 of 300 nights as in CLINICAL 3.4.
    decline_share: float = 0.2
    decline_slow_share: float = 0.5  # the others are quick (invented)
    decline_slow_s: tuple[float, float] = (1200.0, 5400.0)  # time to fall (invented)
    decline_quick_s: tuple[float, float] = (20.0, 180.0)
    decline_to: tuple[float, float] = (78.0, 91.0)  # the plateau: below 93 by 2 and more (invented)
    decline_holds_s: tuple[float, float] = (600.0, 7200.0)
    decline_back_s: tuple[float, float] = (60.0, 900.0)
    intermittent_share: float = 0.3  # of declines: the signal comes and goes, more than half of it there (invented)
    intermittent_there_s: tuple[float, float] = (30.0, 300.0)
    intermittent_away_s: tuple[float, float] = (10.0, 180.0)

    # Real falls that are soon over (a position, a mucus plug): more than CLINICAL 3.4 had (invented).
    short_share: float = 0.05
    short_to: tuple[float, float] = (84.0, 92.0)
    short_s: tuple[float, float] = (60.0, 420.0)

    # The oximeter.
    averaging_s: int = 8  # bedside devices average over 2-16 s
    noise: float = 0.5  # points, of about a quarter of a minute's memory (invented); shown in whole per cent
    noise_s: int = 15

    # Artefacts: CLINICAL 3.4 had 3 an hour, 60 % with a bad status bit; kinds and shapes invented.
    artefacts_per_hour: float = 3.8  # calibrated to row 1: not every one of these brings a value below 93
    movement_flagged_share: float = 0.57  # calibrated to row 2
    cold_flagged_share: float = 0.57  # calibrated to row 2
    probe_off_flagged_share: float = 1.0  # row 5 beside row 6: every probe off said so there, as real devices do
    probe_off_invalid_share: float = 1.0  # of these: "finger out" is INVALID (PLX), no doubtful value
    movement_share: float = 0.80  # calibrated to rows 2 and 3
    cold_share: float = 0.155  # calibrated to row 4; the rest, 1.4 a night: the probe is off (row 6)
    movement_s: tuple[float, float] = (15.0, 42.0)  # calibrated to rows 2 (most are over 15 s) and 3 (few over 48 s)
    movement_depth: tuple[float, float] = (8.0, 30.0)  # calibrated to row 2: below 93 all the while
    cold_s: tuple[float, float] = (30.0, 0.54)  # lognormal; calibrated to row 4: one in sixty lasts over 96 s
    cold_depth: tuple[float, float] = (3.0, 8.0)  # calibrated to rows 2 and 4: enough for most people to be below 93
    probe_off_s: tuple[float, float] = (900.0, 0.8)  # lognormal; calibrated to row 6: most last over 4 min
    probe_off_most_s: float = 3600.0
    junk: tuple[float, float] = (55.0, 93.0)  # what a sensor on a bedside table makes of a lamp; calibrated to row 6
    junk_stuck_share: float = 0.3
    junk_turn_s: tuple[float, float] = (2.0, 30.0)


HARDER = Physiology(
    apnoea_per_hour=((0.5, 5, 15), (0.3, 15, 30), (0.2, 30, 60)),
    apnoea_depth=(4.5, 0.45),
    apnoea_s=(20.0, 60.0),
    apnoea_of_the_night=0.6,
    artefacts_per_hour=3.0,
    movement_flagged_share=0.6,
    cold_flagged_share=0.6,
    probe_off_flagged_share=0.6,
    probe_off_invalid_share=0.0,
    cold_share=0.16,
    movement_s=(5.0, 60.0),
    movement_depth=(5.0, 30.0),
    cold_s=(90.0, 0.8),
    cold_depth=(1.0, 6.0),
    probe_off_s=(360.0, 1.0),
    junk=(55.0, 100.0),
)
"""Movements of up to a minute and cold fingers of minutes; four in ten artefacts, probes off too, say nothing."""

SCENARIOS: Mapping[str, Physiology] = {"default": Physiology(), "harder": HARDER}
