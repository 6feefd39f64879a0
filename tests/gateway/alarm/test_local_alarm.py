"""Which readings wake the house: the centre's own critical rule, and nothing of bad quality or of the past."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.profile.file import parse_profile, standard_adult
from alerting.profile.profile import RepeatRule
from alerting.spot.repeat import repeat_spells
from alerting.spot.spells import Measurement
from gateway.alarm.local_alarm import Condition, LocalAlarm, Why
from gateway.alarm.settings import RULE, LocalAlarmSettings
from tests.falls import fall_s, share_s
from vitals.quality import Quality
from vitals.reading import Acquisition, Reading
from vitals.signals import Signal
from vitals.sustained import Kind, SustainedState, step

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
RULES = LocalAlarmSettings().rules()
LOW, LIMIT, WELL = 8400, 8800, 9700
SECOND_MS = 1_000
FALL_S = fall_s(RULES.sustained)
SHARE_S = share_s(RULES.sustained)


def reading(
    value: int | None,
    *,
    device: str = "AA",
    acquisition: Acquisition = Acquisition.CONTINUOUS,
    quality: Quality = Quality.GOOD,
    signal: Signal = Signal.SPO2,
) -> Reading:
    return Reading(
        device=device, signal=signal, measured_at=EPOCH, value=value, quality=quality, acquisition=acquisition
    )


class Bedside:
    """A local alarm at second 0 of a day, which is told a reading a second."""

    def __init__(self, alarm: LocalAlarm | None = None) -> None:
        self.alarm = alarm or LocalAlarm(RULES)
        self.now_ms = 86_400_000

    @property
    def why(self) -> list[Why]:
        return [condition.why for condition in self.alarm.conditions]

    def stream(self, value: int | None, seconds: int, **how: object) -> "Bedside":
        for _ in range(seconds):
            self.now_ms += SECOND_MS
            self.alarm.hear(reading(value, **how), self.now_ms)  # type: ignore[arg-type]
            self.alarm.pass_time(self.now_ms)
        return self

    def spot(self, value: int, **how: object) -> "Bedside":
        return self.stream(value, 1, acquisition=Acquisition.SPOT, **how)

    def silence(self, seconds: int) -> "Bedside":
        for _ in range(seconds):
            self.now_ms += SECOND_MS
            self.alarm.pass_time(self.now_ms)
        return self


def test_the_numbers_are_those_of_the_standard_adult_profile() -> None:
    profile = parse_profile(standard_adult())
    (sustained,) = (rule for rules in profile.sustained.values() for rule in rules if rule.rule == RULE)
    (repeat,) = (rule for rule in profile.repeat if rule.rule == RULE)
    assert RULES.sustained == sustained
    assert RULES.lost_while_low_ms == profile.silence.lost_while_low_s * 1000
    assert (repeat.signal, repeat.low, repeat.repeat_from_ms) == (Signal.SPO2, True, 0)
    spot = RULES.spot
    assert (spot.below, spot.repeat_until_ms, spot.clear_at, spot.clear_repeats) == (
        repeat.limit,
        repeat.repeat_until_ms,
        repeat.clear_at,
        repeat.clear_repeats,
    )


def test_no_other_rule_of_the_profile_is_an_emergency() -> None:
    profile = parse_profile(standard_adult())
    measured = {rule: means for rule, means in profile.consequences.items() if rule not in profile.reported}
    assert [rule for rule, means in measured.items() if means.emergency] == [RULE]


def test_a_sustained_fall_is_a_danger_and_says_since_when() -> None:
    bed = Bedside().stream(WELL, 120)
    fell_ms = bed.now_ms
    bed.stream(LOW, FALL_S)
    (condition,) = bed.alarm.conditions
    assert (condition.device, condition.value, condition.why) == ("AA", LOW, Why.SUSTAINED)
    assert abs(condition.since_ms - fell_ms) <= RULES.sustained.grain.bucket_ms


@pytest.mark.parametrize("seconds", [1, 20, 40, SHARE_S - 1])
def test_a_short_dip_is_none(seconds: int) -> None:
    assert Bedside().stream(WELL, 120).stream(LOW, seconds).stream(WELL, 300).why == []


@pytest.mark.parametrize(
    "how",
    [
        {"quality": Quality.QUESTIONABLE},
        {"quality": Quality.PROVISIONAL},
        {"quality": Quality.INVALID},
        {"acquisition": Acquisition.STORED},
        {"signal": Signal.PULSE},
    ],
)
def test_bad_values_records_and_other_signals_never_wake_the_house(how: dict[str, object]) -> None:
    assert Bedside().stream(WELL, 60).stream(LOW, 600, **how).silence(600).why == []


def test_a_finger_taken_out_is_silence_and_no_danger() -> None:
    assert Bedside().stream(WELL, 120).stream(None, 600, quality=Quality.INVALID).why == []


def test_a_stream_lost_while_it_is_low_is_a_danger_two_minutes_later() -> None:
    bed = Bedside().stream(WELL, 120).stream(LOW, 40).silence(119)
    assert bed.why == []
    assert bed.silence(1).why == [Why.LOST]
    assert bed.silence(86_400).why == [Why.LOST]


def test_silence_ends_nothing_and_ten_good_minutes_do() -> None:
    bed = Bedside().stream(LOW, FALL_S).silence(7 * 86_400)
    assert bed.why == [Why.SUSTAINED]
    assert bed.stream(WELL, 600).why == [Why.SUSTAINED]
    assert bed.stream(WELL, 20).why == []  # whole 10 s buckets are counted


def test_one_low_measurement_asks_for_a_second_that_decides() -> None:
    bed = Bedside().spot(LOW)
    assert (bed.why, bed.alarm.awaiting_repeat) == ([], ("AA",))
    assert bed.silence(30).spot(LIMIT).why == [Why.REPEATED]
    assert bed.alarm.awaiting_repeat == ()
    assert bed.spot(WELL).spot(LIMIT).spot(WELL).why == [Why.REPEATED]
    assert bed.spot(WELL).why == []


def test_a_second_measurement_that_is_well_ends_the_waiting() -> None:
    bed = Bedside().spot(LOW).silence(60).spot(LIMIT + 1).silence(600)
    assert (bed.why, bed.alarm.awaiting_repeat) == ([], ())


def test_a_repeat_that_never_comes_is_a_danger() -> None:
    bed = Bedside().spot(LIMIT).silence(120)
    assert bed.why == []
    assert bed.silence(1).why == [Why.UNREPEATED]


def test_devices_are_judged_apart() -> None:
    bed = Bedside()
    for _ in range(FALL_S):
        bed.stream(LOW, 1, device="AA")
        bed.now_ms -= SECOND_MS
        bed.stream(WELL, 1, device="BB")
    assert [condition.device for condition in bed.alarm.conditions] == ["AA"]


@pytest.mark.parametrize("why", list(Why))
def test_what_held_before_a_restart_holds_until_good_values_end_it(why: Why) -> None:
    alarm = LocalAlarm(RULES)
    bed = Bedside(alarm)
    held = Condition(device="AA", since_ms=bed.now_ms - 5_000, value=LOW, why=why)
    alarm.take_up([held])
    assert bed.silence(3600).alarm.conditions == (held,)
    if why in (Why.SUSTAINED, Why.LOST):
        assert bed.stream(WELL, 622).why == []
    else:
        assert bed.spot(WELL).spot(WELL).why == []


def test_a_device_that_people_take_away_is_watched_no_more() -> None:
    bed = Bedside().stream(LOW, FALL_S, device="AA").spot(LOW, device="BB")
    for device in ("AA", "BB", "CC"):
        bed.alarm.forget(device)
    assert (bed.silence(600).why, bed.alarm.awaiting_repeat) == ([], ())


def test_at_the_bound_a_calm_device_is_forgotten_and_never_one_in_danger() -> None:
    alarm = LocalAlarm(RULES, devices_max=2)
    bed = Bedside(alarm).stream(LOW, FALL_S, device="AA").stream(WELL, 1, device="BB").stream(WELL, 1, device="CC")
    assert [condition.device for condition in alarm.conditions] == ["AA"]
    bed.spot(LOW, device="CC").spot(WELL, device="DD")  # CC waits for its repeat: no room
    assert (alarm.unwatched, alarm.awaiting_repeat) == (1, ("CC",))


SPELLS = st.lists(
    st.tuples(
        st.sampled_from([LOW, LIMIT, LIMIT + 1, 8899, 8900, WELL]),
        st.integers(1, 700),
        st.sampled_from(["good", "bad", "silence"]),
    ),
    min_size=1,
    max_size=12,
)


@given(SPELLS)
def test_a_stream_is_judged_as_the_oracle_judges_its_good_values(spells: list[tuple[int, int, str]]) -> None:
    bed = Bedside()
    oracle, active, building, good_ms = SustainedState(rules=(RULES.sustained,)), False, False, 0
    for value, seconds, kind in spells:
        for _ in range(seconds):
            if kind == "silence":
                bed.silence(1)
            else:
                bed.stream(value, 1, quality=Quality.GOOD if kind == "good" else Quality.QUESTIONABLE)
            for event in step(oracle, bed.now_ms, value) if kind == "good" else []:
                active = active if event.kind not in (Kind.RAISE, Kind.CLEAR) else event.kind is Kind.RAISE
                building = event.kind is Kind.PENDING
            good_ms = bed.now_ms if kind == "good" else good_ms
            if building and bed.now_ms - good_ms >= RULES.lost_while_low_ms:
                return  # from here on the lost signal decides, and the oracle knows nothing of it
            assert bool(bed.why) is active


SPOTS = st.lists(
    st.tuples(st.integers(1, 200), st.sampled_from([LOW, LIMIT, LIMIT + 1, 8899, 8900, WELL])), min_size=1, max_size=30
)


@given(SPOTS, st.integers(0, 300))
def test_single_measurements_are_judged_as_the_centre_judges_them(spots: list[tuple[int, int]], then_s: int) -> None:
    bed, history = Bedside(), []
    for pause_s, value in spots:
        bed.silence(pause_s - 1).spot(value)
        history.append(Measurement(t_ms=bed.now_ms, value=value))
    bed.silence(then_s)
    spells = repeat_spells(history, _centre_rule())
    open_spell = next((spell for spell in spells if spell.cleared_ms is None), None)
    due = open_spell.due_ms if open_spell else None
    holds = open_spell is not None and (due is None or bed.now_ms > due)
    assert bool(bed.why) is holds
    assert bool(bed.alarm.awaiting_repeat) is (due is not None and bed.now_ms <= due)


def _centre_rule() -> RepeatRule:
    rules: Iterable[RepeatRule] = parse_profile(standard_adult()).repeat
    return next(rule for rule in rules if rule.rule == RULE)


def test_the_oldest_danger_is_named_first() -> None:
    alarm = LocalAlarm(RULES)
    minute = int(timedelta(minutes=1) / timedelta(milliseconds=1))
    alarm.take_up(
        Condition(device=device, since_ms=since_ms, value=LOW, why=Why.SUSTAINED)
        for device, since_ms in (("AA", 2 * minute), ("BB", minute))
    )
    assert [condition.device for condition in alarm.conditions] == ["BB", "AA"]
