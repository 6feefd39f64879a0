"""Spot sessions from a clip that streams: on both sides of every duration, and the same in whatever order it came."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.spot.sessions import ClipSample, Session, Status, form_sessions
from tests.alerting.streams import profile

RULE = profile().sessions
T0 = 1_700_000_000_000


def clip(values: Sequence[int | None], *, begin_s: int = 0, every_s: int = 1, good: bool = True) -> list[ClipSample]:
    return [
        ClipSample(t_ms=T0 + (begin_s + n * every_s) * 1000, value=value, good=good, finger_out=value is None)
        for n, value in enumerate(values)
    ]


def only(sessions: list[Session]) -> Session:
    (session,) = sessions
    return session


def test_a_session_ends_at_the_first_instant_that_it_can() -> None:
    assert [(s.start_ms, s.at_ms, s.value, s.status) for s in form_sessions(clip([9700] * 61), RULE)] == [
        (T0, T0 + 60_000, 9700, Status.STABLE)
    ]


@pytest.mark.parametrize(
    ("values", "status"),
    [
        pytest.param([9700] * 60, Status.UNSTABLE, id="59 s are not a minute"),
        pytest.param([9700] * 61, Status.STABLE, id="60 s are"),
        pytest.param([8000] * 30 + [9600] * 25 + [9800] * 6, Status.STABLE, id="spread 2 in the last 30 s"),
        pytest.param([8000] * 30 + [9600] * 25 + [9801] * 6, Status.UNSTABLE, id="spread 2.01"),
        pytest.param([9700] * 56 + [9800] * 5, Status.UNSTABLE, id="unchanged for 4 s"),
        pytest.param([9700] * 55 + [9800] * 6, Status.STABLE, id="unchanged for 5 s"),
        pytest.param([9700] * 55 + [9710, 9790] * 3, Status.STABLE, id="the whole percent stands still"),
    ],
)
def test_what_a_finger_that_then_leaves_gives(values: list[int], status: Status) -> None:
    assert only(form_sessions(clip([*values, None]), RULE)).status is status


def test_the_value_is_the_lower_median_of_the_last_half_minute_and_never_rounded_up() -> None:
    values = [8000] * 30 + [9299] * 15 + [9300] * 16
    assert only(form_sessions(clip(values), RULE)).value == 9300
    values = [8000] * 31 + [9299] * 15 + [9300] * 15  # sixteen samples each would be 92.995 in the mean
    assert only(form_sessions(clip(values), RULE)).value == 9299


@pytest.mark.parametrize(("gap_s", "first"), [(10, Status.STABLE), (11, Status.UNSTABLE)])
def test_a_gap_ends_a_session(gap_s: int, first: Status) -> None:
    samples = clip([9700] * 40) + clip([9700] * 30, begin_s=39 + gap_s)
    assert [s.status for s in form_sessions(samples, RULE)] == [first, Status.OPEN]


def test_a_clip_that_stays_on_gives_one_session_after_another_and_no_prompt_for_what_is_left() -> None:
    found = form_sessions(clip([9700] * 61 + [8700] * 61 + [8700] * 20 + [None]), RULE)
    assert [(s.value, s.status) for s in found] == [
        (9700, Status.STABLE),
        (8700, Status.STABLE),
        (8700, Status.REMAINDER),
    ]


def test_a_second_clip_that_is_too_short_asks_for_a_repeat() -> None:
    found = form_sessions(clip([9700] * 61 + [None] + [9700] * 30 + [None]), RULE)
    assert [s.status for s in found] == [Status.STABLE, Status.UNSTABLE]


def test_what_never_comes_to_rest_is_given_up() -> None:
    found = form_sessions(clip([9000, 9700] * 95), RULE)
    assert [(s.status, s.at_ms - s.start_ms) for s in found] == [(Status.UNSTABLE, 180_000), (Status.OPEN, 8000)]


def test_bad_samples_are_neither_valid_nor_forgotten() -> None:
    assert only(form_sessions(clip([8500] * 100 + [None], good=False), RULE)) == Session(
        start_ms=T0, at_ms=T0 + 99_000, value=8500, pulse=None, status=Status.UNSTABLE
    )


def test_a_hole_in_the_good_samples_begins_the_minute_anew() -> None:
    samples = clip([9700] * 40) + clip([9700] * 15, begin_s=40, good=False) + clip([9700] * 61, begin_s=55)
    assert only(form_sessions(samples, RULE)).at_ms == T0 + 115_000


def test_the_pulse_of_a_session_is_its_median() -> None:
    samples = [ClipSample(t_ms=s.t_ms, value=s.value, pulse=7000 + n) for n, s in enumerate(clip([9700] * 61))]
    session = only(form_sessions(samples, RULE))
    assert (session.pulse, session.status) == (7045, Status.STABLE)


def test_a_finger_that_leaves_after_one_number_asks_for_a_repeat() -> None:
    assert only(form_sessions(clip([9700, None]), RULE)).status is Status.UNSTABLE
    later = clip([9700] * 5, begin_s=20)
    assert [s.status for s in form_sessions([*clip([9700]), *later], RULE)] == [Status.UNSTABLE, Status.OPEN]


def test_what_is_left_after_an_unstable_session_asks_for_a_repeat_too() -> None:
    found = form_sessions(clip([*[9000, 9700] * 95, None]), RULE)
    assert [(s.status, s.at_ms - s.start_ms) for s in found] == [(Status.UNSTABLE, 180_000), (Status.UNSTABLE, 8000)]


@pytest.mark.parametrize(
    ("restless_s", "status"), [(58, Status.REMAINDER), (60, Status.UNSTABLE), (90, Status.UNSTABLE)]
)
def test_a_remainder_is_shorter_than_a_session_would_be(restless_s: int, status: Status) -> None:
    restless = [9000, 9700] * 45
    found = form_sessions(clip([*[9700] * 61, *restless[: restless_s + 1], None]), RULE)
    assert [s.status for s in found] == [Status.STABLE, status]


def test_a_stable_value_is_of_its_good_numbers_alone() -> None:
    samples = clip([9700] * 61) + [
        ClipSample(t_ms=T0 + s * 1000 + ms, value=8000, good=False) for s in range(60) for ms in (300, 600)
    ]
    session = only(form_sessions(samples, RULE))
    assert (session.value, session.status) == (9700, Status.STABLE)


def test_the_last_half_minute_begins_with_the_number_half_a_minute_ago() -> None:
    session = only(form_sessions(clip([*[9700] * 30, 8000, *[9700] * 31]), RULE))
    assert (session.at_ms, session.status) == (T0 + 61_000, Status.STABLE)


@pytest.mark.parametrize("turned", [False, True], ids=["first", "last"])
@pytest.mark.parametrize(
    ("same", "expected"),
    [
        pytest.param([{"value": 9700}, {"value": 9400}], (9400, None, True), id="the lowest number"),
        pytest.param([{"value": 9700}, {"value": None}], (9700, None, True), id="a number before none"),
        pytest.param([{"value": 9700}, {"value": 9700, "good": False}], (9700, None, False), id="the doubtful one"),
        pytest.param([{"value": 9700, "pulse": 7000}, {"value": 9700}], (9700, None, True), id="without a pulse"),
        pytest.param(
            [{"value": 9700, "pulse": 7000}, {"value": 9700, "pulse": 6000}], (9700, 6000, True), id="the lowest pulse"
        ),
        pytest.param([{"value": 9700}, {"value": 9700, "finger_out": True}], None, id="finger out before a number"),
    ],
)
def test_of_several_at_one_instant_the_worst_counts(
    same: list[dict[str, Any]], expected: tuple[int, int | None, bool] | None, turned: bool
) -> None:
    at_once = [ClipSample(**({"t_ms": T0} | each)) for each in (same[::-1] if turned else same)]
    sessions = form_sessions([*at_once, *clip([9700] * 60, begin_s=1)], RULE)
    if expected is None:
        assert [(s.start_ms, s.status) for s in sessions] == [(T0 + 1000, Status.OPEN)]
        return
    value, pulse, good = expected
    alone = form_sessions(at_once, RULE)
    assert [(s.value, s.pulse, s.status) for s in alone] == [(value, pulse, Status.OPEN)]
    assert (sessions[0].status is Status.STABLE) is good


SPELLS = st.lists(
    st.tuples(
        st.sampled_from([9700, 9750, 9100, 8700, None]),
        st.sampled_from([1, 5, 11, 30, 59, 61, 62, 125, 200]),
        st.sampled_from([1, 1, 1, 4]),
        st.booleans(),
        st.sampled_from([0, 0, 9, 10, 11, 60]),
    ),
    min_size=1,
    max_size=6,
)


def drawn(spells: Sequence[tuple[int | None, int, int, bool, int]]) -> list[ClipSample]:
    samples: list[ClipSample] = []
    begin_s = 0
    for value, length, every_s, good, gap_s in spells:
        samples += clip([value] * length, begin_s=begin_s, every_s=every_s, good=good)
        begin_s += length * every_s + gap_s
    return samples


@given(SPELLS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_and_repeats_do_not_matter(
    spells: list[tuple[int | None, int, int, bool, int]], draw: object
) -> None:
    samples = drawn(spells)
    shuffled = [*samples, *samples[::3]]
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    assert form_sessions(shuffled, RULE) == form_sessions(samples, RULE)


@given(SPELLS, st.integers(0, 20))
def test_forming_goes_on_behind_any_session_that_has_ended(
    spells: list[tuple[int | None, int, int, bool, int]], which: int
) -> None:
    samples = drawn(spells)
    whole = form_sessions(samples, RULE)
    ended = [s for s in whole if s.status is not Status.OPEN]
    if not ended:
        return
    before = ended[which % len(ended)]
    rest = form_sessions([s for s in samples if s.t_ms > before.at_ms], RULE, previous=before)
    assert rest == whole[whole.index(before) + 1 :]


@given(SPELLS)
def test_every_stable_session_holds_what_it_promises(spells: list[tuple[int | None, int, int, bool, int]]) -> None:
    samples = drawn(spells)
    for session in form_sessions(samples, RULE):
        if session.status is not Status.STABLE:
            continue
        seen = [s for s in samples if session.start_ms <= s.t_ms <= session.at_ms and s.value is not None and s.good]
        last = [s.value for s in seen if session.at_ms - s.t_ms <= 30_000 and s.value is not None]
        assert session.at_ms - session.start_ms >= 60_000
        assert max(last) - min(last) <= 200
        assert session.value in last
        assert 2 * sum(value < session.value for value in last) <= len(last)
        assert not any(s.finger_out for s in samples if session.start_ms <= s.t_ms <= session.at_ms)
