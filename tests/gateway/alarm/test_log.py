"""The account of alarms: begun once, ended with a reason, kept across restarts, bounded, dated by the present clock."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alarm.local_alarm import Condition, Why
from gateway.alarm.log import (
    ENDED_MAX,
    AlarmLog,
    EndedBy,
    LogError,
    Moment,
    conditions_of,
    described,
    followed,
    last_sounded_at,
    log_text,
    parse_log,
)

WALL_MS = round(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
MINUTE_MS = 60_000


def moment(minute: float, *, boot_id: int = 7, wall_off_ms: int = 0) -> Moment:
    elapsed_ms = round(minute * MINUTE_MS)
    return Moment(elapsed_ms=elapsed_ms, boot_id=boot_id, wall_ms=WALL_MS + elapsed_ms + wall_off_ms)


def low(device: str = "AA", since_minute: float = 1) -> Condition:
    return Condition(device=device, since_ms=round(since_minute * MINUTE_MS), value=8400, why=Why.SUSTAINED)


def test_an_alarm_begins_once_and_says_how_it_ended() -> None:
    begun = followed(AlarmLog(), [low()], is_armed=True, now=moment(2))
    assert followed(begun, [low()], is_armed=True, now=moment(3)) is begun
    well = followed(begun, [], is_armed=True, now=moment(4))
    handed_over = followed(begun, [low()], is_armed=False, now=moment(4))
    assert [alarm.ended_by for alarm in (*well.alarms, *handed_over.alarms)] == [EndedBy.WELL, EndedBy.CENTRE]
    assert (begun.sounding, well.sounding, handed_over.sounding) == (begun.alarms, (), ())
    assert described(well.alarms[0], moment(5)) == {
        "device": "AA",
        "since": "2026-01-01T00:01:00.000+00:00",
        "value": 84.0,
        "why": "sustained_low",
        "sounded_at": "2026-01-01T00:02:00.000+00:00",
        "ended_at": "2026-01-01T00:04:00.000+00:00",
        "ended_by": "well",
    }


def test_a_danger_that_nobody_must_be_told_of_here_is_no_alarm() -> None:
    log = AlarmLog()
    assert followed(log, [low()], is_armed=False, now=moment(2)) is log


def test_alone_again_the_same_danger_is_another_alarm() -> None:
    log = AlarmLog()
    for minute, armed in ((2, True), (3, False), (4, True)):
        log = followed(log, [low()], is_armed=armed, now=moment(minute))
    assert (log.sounded_total, len(log.sounding)) == (2, 1)


def test_the_newest_that_are_over_are_kept_and_all_that_sound() -> None:
    log = followed(AlarmLog(), [low("ZZ")], is_armed=True, now=moment(1))
    for number in range(2 * ENDED_MAX):
        for conditions in ([low("ZZ"), low("AA")], [low("ZZ")]):
            log = followed(log, conditions, is_armed=True, now=moment(2 + number))
    assert len(log.alarms) == ENDED_MAX + 1
    assert [alarm.device for alarm in log.sounding] == ["ZZ"]
    assert log.sounded_total == 2 * ENDED_MAX + 1


def test_a_clock_put_right_puts_the_account_right() -> None:
    in_1970 = -WALL_MS
    log = followed(AlarmLog(), [low()], is_armed=True, now=moment(2, wall_off_ms=in_1970))
    assert described(log.alarms[0], moment(2, wall_off_ms=in_1970))["since"] == "1970-01-01T00:01:00.000+00:00"
    assert described(log.alarms[0], moment(9))["since"] == "2026-01-01T00:01:00.000+00:00"


def test_when_it_last_sounded() -> None:
    assert last_sounded_at(AlarmLog(), moment(1)) is None
    log = followed(AlarmLog(), [low()], is_armed=True, now=moment(2))
    assert last_sounded_at(log, moment(5)) == "2026-01-01T00:05:00.000+00:00"
    log = followed(log, [], is_armed=True, now=moment(6))
    assert last_sounded_at(log, moment(60)) == "2026-01-01T00:06:00.000+00:00"


def test_what_sounded_before_a_restart_is_a_condition_again_since_the_same_time() -> None:
    log = followed(AlarmLog(), [low()], is_armed=True, now=moment(2))
    kept = parse_log(log_text(log))
    assert kept == log
    (same_boot,) = conditions_of(kept, moment(4))
    assert same_boot == low()
    other_boot = Moment(elapsed_ms=10_000, boot_id=8, wall_ms=WALL_MS + 5 * MINUTE_MS)
    (condition,) = conditions_of(kept, other_boot)
    assert condition == replace(low(), since_ms=10_000 - 4 * MINUTE_MS)
    in_1970 = replace(other_boot, wall_ms=10_000)
    assert conditions_of(kept, in_1970)[0].since_ms == 10_000  # no time before the boot is known: since now


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"alarms": [{}], "sounded_total": 1}', b"[" * 100_000])
def test_an_unreadable_account_says_so(text: bytes) -> None:
    with pytest.raises(LogError):
        parse_log(text)


@given(st.lists(st.tuples(st.sets(st.sampled_from("ABC")), st.booleans(), st.booleans()), max_size=40))
def test_the_account_adds_up(steps: list[tuple[set[str], bool, bool]]) -> None:
    """Whatever holds, is armed or restarts: each sounding device is one alarm, each begun alarm is counted."""
    log, begun, sounding = AlarmLog(), 0, set[str]()
    for minute, (devices, is_armed, restarts) in enumerate(steps):
        now = moment(minute)
        log = followed(log, [low(device, minute) for device in sorted(devices)], is_armed=is_armed, now=now)
        wanted = devices if is_armed else set()
        begun, sounding = begun + len(wanted - sounding), wanted
        assert sorted(alarm.device for alarm in log.sounding) == sorted(wanted)
        assert log.sounded_total == begun
        if restarts:
            log = parse_log(log_text(log))
