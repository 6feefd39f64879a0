"""A recording is judged as the service would have judged it: the same rules, silences and losses, by event time."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from alerting.course.silence import gaps_of, silences
from alerting.course.stream import Stream
from alerting.course.telling import Event, Kind
from alerting.course.whose import Patient
from alerting.engine import numba_step, numpy_step
from alerting.engine.partition import Step
from alerting.profile.patient import PatientFacts
from alerting.profile.profile import Priority, Silence
from alerting.replay.rates import interval_ms, slowest_ms
from alerting.replay.recording import Mode, Recording, series_of, usual_mode
from alerting.replay.replaying import held_of, rehearse, too_slow
from tests.alerting.courses import T0_MS, Spell, recording, series
from tests.alerting.spot.home import CLIP, CUFF, THERMOMETER, Said, SpotHome, clip
from tests.alerting.streams import CRIT, FALL_S, MANY, SHARE_S, SPO2, Sample, oracle, profile, stream
from tests.alerting.ward import Ward
from vitals.quality import Quality
from vitals.reading import NO_VALUE
from vitals.signals import Signal
from vitals.sustained import Kind as SustainedKind
from vitals.sustained import SustainedRule, SustainedState
from vitals.sustained import step as oracle_step

pytestmark = pytest.mark.long

NOBODY = Patient(facts=PatientFacts(born_on=date(1960, 1, 1)))
STREAMS = [
    *(pytest.param(numba_step.step, seed, id=f"numba-{seed}") for seed in range(10)),
    *(pytest.param(numpy_step.step, seed, id=f"numpy-{seed}") for seed in range(3)),
]


def said(events: list[Event]) -> list[tuple[str, str, float]]:
    """Give events as (rule, kind, seconds after the beginning)."""
    return [(event.rule, event.kind.value, (event.at_ms - T0_MS) / 1000) for event in events]


def replayed(
    *spells: Spell, every_s: int = 1, mode: Mode = Mode.CONTINUOUS, signal: Signal = Signal.SPO2
) -> list[Event]:
    return rehearse(recording(*spells, every_s=every_s, mode=mode, signal=signal), profile(), NOBODY)


@pytest.mark.parametrize(("step", "seed"), STREAMS)
def test_a_stream_is_judged_as_the_oracle_judges_it(step: Step, seed: int) -> None:
    samples = sorted((s for s in stream(seed, rows=1)), key=lambda s: s.t_ms)
    never = 10**12  # nothing is lost: what waits is left to the samples
    judged = Stream(SPO2, {rule: rule.limit for rule in MANY}, lost_ms=never, step=step).judge(
        np.array([s.t_ms for s in samples], np.int64),
        np.array([s.value for s in samples], np.int16),
        gaps=[],
        end_ms=samples[-1].t_ms,
    )
    told, _ = oracle([Sample(s.t_ms, 0, s.value) for s in samples], MANY)
    raised = [(e.rule, e.at_ms, e.since_ms, e.value / 100) for _, _, e in told if e.kind is SustainedKind.RAISE]
    ended = [(e.rule, e.at_ms) for _, _, e in told if e.kind is SustainedKind.CLEAR]
    assert sorted(raised) == sorted((c.rule, c.raised_ms, c.since_ms, c.value) for c in judged)
    assert sorted(ended) == sorted((c.rule, c.cleared_ms) for c in judged if c.cleared_ms is not None)


def test_a_fall_is_raised_with_what_decided_it_and_clears() -> None:
    events = replayed((97, 120), (84, 400), (97, 700))
    assert [(rule, kind) for rule, kind, _ in said(events)] == [
        ("SPO2-CRIT", "raise"),
        ("SPO2-REFER", "raise"),
        ("SPO2-CRIT", "clear"),
        ("SPO2-REFER", "clear"),
    ]
    first = events[0]
    assert (first.priority, first.emergency, first.technical) == (Priority.HIGH, True, False)
    assert first.since_ms == T0_MS + 120_000
    assert SHARE_S * 1000 <= first.at_ms - first.since_ms <= CRIT.window_ms
    assert first.evidence["lowest"] == 84.0
    assert first.evidence["below"] == 88.01
    assert (events[2].value, events[2].evidence["value"]) == (97.0, 97.0)
    assert events[2].evidence["lasted_s"] == (events[2].at_ms - first.since_ms) / 1000


def test_zeros_and_junk_are_neither_evidence_nor_clock() -> None:
    events = replayed((97, 300), (0, 900), (97, 60))
    assert said(events) == [
        ("TECH-NODATA", "raise", 299 + 120),
        ("TECH-NODATA-LONG", "raise", 299 + 600),
        ("TECH-NODATA", "clear", 1200),
        ("TECH-NODATA-LONG", "clear", 1200),
    ]
    assert {event.evidence["why"] for event in events if event.kind is Kind.RAISE} == {"unusable"}


def test_a_stream_that_stops_says_that_nothing_came() -> None:
    (event,) = replayed((97, 300), (None, 200))
    last_good = datetime.fromtimestamp(T0_MS / 1000 + 299, UTC).isoformat()
    assert (event.rule, event.evidence) == ("TECH-NODATA", {"why": "nothing_received", "last_good_at": last_good})


def test_a_recording_claims_nothing_of_the_time_after_it() -> None:
    assert replayed((97, 300), (None, 118)) == []


def test_a_fall_that_loses_its_signal_is_raised_and_clears_like_any_other() -> None:
    events = replayed((97, 400), (84, 40), (None, 300), (97, 700))
    lost = next(event for event in events if event.rule == "SPO2-CRIT")
    assert (lost.at_ms - T0_MS) / 1000 == 439 + 120
    assert lost.evidence["why"] == "lost_while_low"
    assert ("SPO2-CRIT", "clear") in [(rule, kind) for rule, kind, _ in said(events)]


def test_a_fall_that_came_back_well_in_time_is_not_raised() -> None:
    assert replayed((97, 400), (84, 40), (None, 110), (97, 700)) == []


def test_silence_is_loud_sooner_while_an_episode_is_open() -> None:
    watched = replayed((97, 100), (84, FALL_S), (None, 400))
    (loud,) = [event for event in watched if event.rule == "TECH-NODATA-LONG"]
    assert (loud.at_ms - T0_MS) / 1000 == 100 + FALL_S - 1 + 300
    assert "TECH-NODATA-LONG" not in {event.rule for event in replayed((97, 200), (None, 400))}
    tier3 = rehearse(recording((97, 200), (None, 400)), profile(), replace(NOBODY, service_tier=3))
    assert [event.rule for event in tier3] == ["TECH-NODATA", "TECH-NODATA-LONG"]


def test_values_that_are_not_good_cover_nothing_but_are_heard() -> None:
    bad = series((97, 60), (84, 400), quality=Quality.QUESTIONABLE)
    made = Recording(series={Signal.SPO2: bad}, mode=Mode.CONTINUOUS, begin_ms=T0_MS, end_ms=T0_MS + 460_000)
    events = rehearse(made, profile(), NOBODY)
    assert {event.rule for event in events if not event.technical} == {"QUESTIONABLE-LOW"}
    assert {event.evidence["why"] for event in events if event.technical} == {"unusable"}


def test_a_special_patient_is_more_urgent() -> None:
    hot = recording((36.8, 3600), (39.4, 4000), every_s=1800, mode=Mode.SPOT, signal=Signal.TEMPERATURE)
    plain = rehearse(hot, profile(), NOBODY)
    assert [(event.rule, event.priority) for event in plain] == [("FEVER-HIGH", Priority.LOW)]
    child = rehearse(
        hot, profile(), Patient(facts=PatientFacts(born_on=date(2022, 1, 1), special_groups=frozenset({"child"})))
    )
    assert [(event.rule, event.priority) for event in child] == [("FEVER-HIGH", Priority.MEDIUM)]


def test_a_single_measurement_without_a_repeat_is_raised_by_its_absence() -> None:
    (event,) = [e for e in replayed((91, 1), (None, 3600), mode=Mode.SPOT) if e.rule == "SPO2-REFER"]
    assert ((event.at_ms - T0_MS) / 1000, event.value, event.evidence["why"]) == (600, 91.0, "no_repeat")
    assert "SPO2-REFER" not in {e.rule for e in replayed((91, 1), (None, 500), mode=Mode.SPOT)}


def test_a_spot_recording_is_not_expected_to_go_on() -> None:
    assert replayed((97, 10), (None, 7200), (97, 10), mode=Mode.SPOT) == []


# ---- streams that speak seldom (ADR 18) ------------------------------------------------------------------------


@pytest.mark.parametrize("rule", MANY, ids=lambda rule: rule.rule)
@pytest.mark.parametrize("phase_ms", range(0, 60_000, 7_001))
def test_the_slowest_rate_of_a_rule_can_raise_it_and_a_slower_one_can_not(rule: SustainedRule, phase_ms: int) -> None:
    each = replace(rule, clear_gap_ms=600_000)
    breach = each.limit.breach + (-100 if each.low else 100)

    def raises(every_ms: int) -> bool:
        state = SustainedState([each])
        begin = T0_MS + phase_ms
        times = range(begin, begin + 3 * each.window_ms + 10 * every_ms, every_ms)
        return any(e.kind is SustainedKind.RAISE for t in times for e in oracle_step(state, t, breach))

    fastest_that_fails = 2 * slowest_ms(each) + 2 * each.grain.bucket_ms
    assert raises(slowest_ms(each))
    assert not raises(fastest_that_fails)


def test_a_stream_of_once_a_minute_is_judged_by_the_repeat_form_and_still_watched_for_silence() -> None:
    slow = recording((97, 600), (91, 300), (None, 300), every_s=60)
    blind = {each.rule: each.judged_by_repeat for each in too_slow(slow, profile(), held_of(slow, profile(), NOBODY))}
    assert blind["SPO2-REFER"]
    assert blind.keys().isdisjoint({"SPO2-CRIT", "SPO2-AMBER"})
    assert said(rehearse(slow, profile(), NOBODY)) == [
        ("SPO2-REFER", "raise", 660),
        ("TECH-NODATA", "raise", 840 + 120),
        ("TECH-NODATA-LONG", "raise", 840 + 300),
    ]


def test_one_low_minute_alone_is_no_fall() -> None:
    assert replayed((97, 600), (84, 60), (97, 600), every_s=60) == []


def test_how_a_patient_was_measured_is_read_off_the_time_between_samples() -> None:
    def mode(every_s: int) -> Mode:
        return usual_mode({Signal.SPO2: series((97, 20 * every_s), every_s=every_s)}, 120_000)

    assert [mode(every_s) for every_s in (1, 60, 119, 120, 3600)] == [Mode.CONTINUOUS] * 3 + [Mode.SPOT] * 2
    assert usual_mode({Signal.SPO2: series((97, 1))}, 120_000) is Mode.SPOT
    assert interval_ms(series((97, 1)).t_ms) is None


def test_numbers_become_what_a_decoder_makes_of_them() -> None:
    numbers = np.array([92.6, 0.0, np.nan, 101.0, 1e300, np.inf, 92.999999999, 100.0])
    made = series_of(Signal.SPO2, np.arange(len(numbers)), numbers)
    assert made.values.tolist() == [9260, *[NO_VALUE] * 5, 9300, 10000]
    assert made.quality.tolist() == [0, 3, 3, 3, 3, 3, 0, 0]
    warm = series_of(Signal.TEMPERATURE, np.arange(4), np.array([-17.8, 0.0, 50.0, 39.1]))
    assert warm.values.tolist() == [NO_VALUE, NO_VALUE, NO_VALUE, 3910]


# ---- silence ----------------------------------------------------------------------------------------------------

LIMITS = Silence(
    low_after_s=120,
    medium_after_s=600,
    medium_after_watched_s=300,
    lost_while_low_s=120,
    still_present_after_false_alarm_s=900,
)


def quiet(good_s: list[int], *, end_s: int, watched_from_s: int | None = None) -> list[tuple[str, float, int | None]]:
    good = 1000 * np.array(good_s, np.int64)
    gaps = gaps_of(good, 120_000, begin_ms=0, end_ms=end_s * 1000)
    watched_ms = None if watched_from_s is None else watched_from_s * 1000
    found = silences(gaps, LIMITS, end_ms=end_s * 1000, watched_from_ms=watched_ms)
    return [(q.rule, q.raised_ms / 1000, q.gap.until_ms) for q in found]


def test_a_value_that_comes_just_in_time_is_no_silence() -> None:
    assert quiet([0, 120, 240], end_s=300) == []
    assert quiet([0, 121], end_s=130) == [("TECH-NODATA", 120, 121_000)]


def test_a_recording_without_any_good_value_is_silent_from_its_beginning() -> None:
    assert quiet([], end_s=119) == []
    assert quiet([], end_s=600) == [("TECH-NODATA", 120, None), ("TECH-NODATA-LONG", 600, None)]


def test_who_is_watched_from_amid_a_silence_is_missed_from_then_on() -> None:
    assert quiet([0], end_s=599, watched_from_s=450) == [("TECH-NODATA", 120, None), ("TECH-NODATA-LONG", 450, None)]
    assert quiet([0], end_s=599, watched_from_s=100)[1] == ("TECH-NODATA-LONG", 300, None)


# ---- the service says the same ----------------------------------------------------------------------------------


def test_the_service_raises_the_same_of_the_same_course(ward: Ward) -> None:
    spells: tuple[Spell, ...] = ((97, 300), (91, 420), (97, 60), (85, 40), (None, 400), (97, 700), (84, FALL_S))
    for level, length_s in spells:
        begin = ward.now
        for minute in range(0, length_s, 60):
            part = min(60, length_s - minute)
            if level is not None:
                ward.spo2(1, [round(level * 100)] * part)
            ward.now = begin + timedelta(seconds=minute)
            ward.pass_time(seconds=part)
    rows = ward.connection.execute(
        "SELECT detail FROM episode_event WHERE detail ? 'raised_at' AND episode_id IN"
        " (SELECT episode_id FROM episode WHERE patient_id = 1)"
    ).fetchall()
    served = sorted((r.detail["rule"], _ms(r.detail["raised_at"]), _ms(r.detail["since"])) for r in rows)
    events = rehearse(recording(*spells), profile(), NOBODY)
    replayed_too = sorted((e.rule, e.at_ms, e.since_ms) for e in events if e.kind is Kind.RAISE)
    assert [rule for rule, *_ in served] == [rule for rule, *_ in replayed_too]
    assert {"SPO2-CRIT", "SPO2-REFER", "TECH-NODATA", "TECH-NODATA-LONG"} == {rule for rule, *_ in served}
    for (rule, *there), (_, *here) in zip(served, replayed_too, strict=True):
        # The sweep looks every 5 s, and counts from when a value was received: 1 s after it was measured.
        assert all(0 <= a - b <= 6000 for a, b in zip(there, here, strict=True)), (rule, there, here)


WELL, LOW, CRITICAL = ([percent * 100] * 62 for percent in (97, 91, 86))
SPOT_COURSE: tuple[tuple[int, list[Said]], ...] = (
    (CUFF, [(0, Signal.SYSTOLIC, 12000), (0, Signal.DIASTOLIC, 8000), (0, Signal.PULSE, 7000)]),
    (CLIP, clip(WELL, begin_s=600)),
    (CLIP, clip(LOW, begin_s=3600)),
    (CLIP, clip(LOW, begin_s=3900)),
    (THERMOMETER, [(4200, Signal.TEMPERATURE, 3930)]),
    (THERMOMETER, [(6000, Signal.TEMPERATURE, 3940)]),
    (CUFF, [(6600, Signal.SYSTOLIC, 8800), (6600, Signal.DIASTOLIC, 5500)]),
    (CUFF, [(6900, Signal.SYSTOLIC, 8900), (6900, Signal.DIASTOLIC, 5500)]),
    (CLIP, clip(CRITICAL, begin_s=7200)),
    (CUFF, [(9000, Signal.SYSTOLIC, 18600), (9000, Signal.DIASTOLIC, 9000)]),
    (CUFF, [(9060, Signal.SYSTOLIC, 18500), (9060, Signal.DIASTOLIC, 9000)]),
    (CLIP, clip(WELL, begin_s=10800)),
    (CLIP, clip(WELL, begin_s=11400)),
)


def test_the_service_raises_the_same_of_clips_temperatures_and_pressures(any_database: str) -> None:
    with SpotHome(any_database) as home:
        for device, said_ in SPOT_COURSE:
            home.say(device, said_, acquisition=0 if device == CLIP else 1)
            home.pass_time(seconds=125)
        rows = home.connection.execute(
            "SELECT detail FROM episode_event JOIN episode USING (episode_id)"
            " WHERE detail ? 'raised_at' AND NOT technical"
        ).fetchall()
    served = sorted((r.detail["rule"], _ms(r.detail["raised_at"]), _ms(r.detail["since"])) for r in rows)
    found = [row for _, said_ in SPOT_COURSE for row in said_]
    columns = {signal: [(at_s, value) for at_s, kind, value, *_ in found if kind is signal] for _, signal, *_ in found}
    measured = {
        signal: series_of(
            signal,
            T0_MS + 1000 * np.array([at_s for at_s, _ in column], np.int64),
            np.array([np.nan if value is None else value / 100 for _, value in column], np.float64),
        )
        for signal, column in columns.items()
    }
    spot = Recording(series=measured, mode=Mode.SPOT, begin_ms=T0_MS, end_ms=T0_MS + 11_600_000)
    events = rehearse(spot, profile(), Patient(facts=PatientFacts(born_on=date(1950, 1, 1))))
    replayed_too = sorted((e.rule, e.at_ms, e.since_ms) for e in events if e.kind is Kind.RAISE)
    assert [rule for rule, *_ in served] == [rule for rule, *_ in replayed_too]
    for (rule, *there), (_, *here) in zip(served, replayed_too, strict=True):
        assert all(0 <= a - b <= 6000 for a, b in zip(there, here, strict=True)), (rule, there, here)
    assert {rule for rule, *_ in served} == {
        *("SPO2-AMBER", "SPO2-REFER", "SPO2-CRIT", "QUESTIONABLE-LOW"),
        *("FEVER-HIGH", "NEWS2-MEDIUM", "BP-CRISIS-SYS"),
    }


def test_a_low_clip_is_said_once_and_not_again_as_a_score() -> None:
    twice = recording((91, 61), (None, 239), (91, 61), (None, 600), mode=Mode.SPOT)
    assert {event.rule for event in rehearse(twice, profile(), NOBODY)} == {"SPO2-REFER", "SPO2-AMBER"}


def test_oxygen_at_home_is_a_known_item_of_the_score() -> None:
    spells = recording((110, 1), (None, 600), (110, 1), mode=Mode.SPOT, signal=Signal.SYSTOLIC)
    low = {Signal.SYSTOLIC: series((88, 1), (None, 600), (88, 1), signal=Signal.SYSTOLIC)}
    breathing = Patient(facts=PatientFacts(born_on=date(1950, 1, 1), on_oxygen=True))
    (event,) = rehearse(replace(spells, series=low), profile(), breathing)
    assert event.evidence["parts"] == {"systolic": 3, "oxygen": 2}


def test_a_streams_median_is_part_of_the_score() -> None:
    parts = {
        Signal.PULSE: series((125, 1200), signal=Signal.PULSE),
        Signal.SYSTOLIC: series((None, 900), (88, 1), (None, 200), (88, 1), signal=Signal.SYSTOLIC),
    }
    made = Recording(series=parts, mode=Mode.CONTINUOUS, begin_ms=T0_MS, end_ms=T0_MS + 1_200_000)
    scored = [e for e in rehearse(made, profile(), NOBODY) if e.rule == "NEWS2-MEDIUM"]
    assert [e.evidence["parts"] for e in scored] == [{"systolic": 3, "pulse": 2}]


def test_what_was_measured_after_activity_is_judged_as_such() -> None:
    parts = {
        Signal.STEPS: series((None, 60), (400, 300), signal=Signal.STEPS, every_s=60),
        Signal.SPO2: series((None, 400), (93, 1), (None, 60), (93, 1)),
    }
    made = Recording(series=parts, mode=Mode.SPOT, begin_ms=T0_MS, end_ms=T0_MS + 3_000_000)
    assert "SPO2-EXERT" in {event.rule for event in rehearse(made, profile(), NOBODY)}


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
