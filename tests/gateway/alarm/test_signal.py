"""What a home hears and sees, against the limits of IEC 60601-1-8, and which notice is due."""

import itertools

import pytest

from gateway.alarm.signal import DARK, PATTERNS, STEADY, Notice, Shown, Situation, due

HIGH, MEDIUM = (Notice.DANGER, Notice.TEST), (Notice.MEASURE_AGAIN,)


def parts(notice: Notice) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give a burst's sounds and the rests between them."""
    pulses = PATTERNS[notice].pulses_ms
    return pulses[::2], pulses[1::2]


@pytest.mark.parametrize("notice", HIGH)
def test_high_priority_is_ten_short_pulses_in_two_groups_of_three_and_two(notice: Notice) -> None:
    sounds, rests = parts(notice)
    assert len(sounds) == 10
    assert all(75 <= sound <= 200 for sound in sounds)
    short = rests[0]
    assert 50 <= short <= 125
    between = 2 * short + sounds[0]
    assert rests == (short, short, between, short, rests[4], short, short, between, short)
    assert 350 <= rests[4] <= 1300
    assert 2.5 <= PATTERNS[notice].gap_s <= 15


@pytest.mark.parametrize("notice", MEDIUM)
def test_medium_priority_is_three_longer_pulses(notice: Notice) -> None:
    sounds, rests = parts(notice)
    assert len(sounds) == 3
    assert all(125 <= sound <= 250 for sound in sounds)
    assert all(125 <= rest <= 250 for rest in rests)
    assert 2.5 <= PATTERNS[notice].gap_s <= 30


@pytest.mark.parametrize(("notices", "slowest_hz", "fastest_hz"), [(HIGH, 1.4, 2.8), (MEDIUM, 0.4, 0.8)])
def test_a_light_flashes_by_its_priority(notices: tuple[Notice, ...], slowest_hz: float, fastest_hz: float) -> None:
    for notice in notices:
        on_ms, off_ms = PATTERNS[notice].light_ms
        assert slowest_hz <= 1000 / (on_ms + off_ms) <= fastest_hz
        assert 0.2 <= on_ms / (on_ms + off_ms) <= 0.6


def test_a_centre_out_of_reach_is_a_steady_light_without_a_sound() -> None:
    assert PATTERNS[Notice.UNREACHABLE].light_ms == STEADY
    assert PATTERNS[Notice.NONE].light_ms == DARK
    assert PATTERNS[Notice.UNREACHABLE].pulses_ms == PATTERNS[Notice.NONE].pulses_ms == ()
    assert set(PATTERNS) == set(Notice)


ORDER = (Notice.NONE, Notice.UNREACHABLE, Notice.MEASURE_AGAIN, Notice.DANGER)


@pytest.mark.parametrize("facts", list(itertools.product((False, True), repeat=5)))
def test_the_most_urgent_notice_is_due(facts: tuple[bool, ...]) -> None:
    armed, danger, repeat, unreachable, paused = facts
    shown = due(
        Situation(
            is_armed=armed,
            is_in_danger=danger,
            awaits_repeat=repeat,
            is_unreachable=unreachable,
            is_paused=paused,
        )
    )
    urgency = max(3 * (armed and danger), 2 * (armed and repeat), 1 * unreachable)
    assert shown == Shown(notice=ORDER[urgency], is_audible=not paused)
