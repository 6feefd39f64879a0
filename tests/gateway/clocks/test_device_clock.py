"""What a device's clock is worth, and which time its records get: just now, from memory, or nobody can tell."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.clocks.device_clock import Origin, Verdict, decide, made_at, offset_s, origin
from gateway.clocks.placing import Place, Stamp, Stamped, place
from gateway.gatt.decoded import Decoded, Measurement, Mode
from vitals.quality import Quality, Reason
from vitals.reading import Acquisition
from vitals.signals import Signal

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")
WHERE = Place(zone=SHANGHAI, stored_after=timedelta(minutes=2))
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def placed(
    shown: datetime, *, offset: timedelta | None, synchronised: bool = True, from_storage: bool = False
) -> Stamped:
    """Place a fever of 39.1 that a device dates `shown`."""
    fever = Measurement(signal=Signal.TEMPERATURE, value=3910, quality=Quality.GOOD)
    decoded = Decoded(
        mode=Mode.SPOT,
        measurements=(fever,),
        device_time=shown.astimezone(SHANGHAI).replace(tzinfo=None),
        from_storage=from_storage,
    )
    (row,) = place(
        decoded,
        device="AA",
        stamp=Stamp(wall=NOW, mono_ms=5, boot_id=7, synchronised=synchronised),
        place=WHERE,
        clock_offset_s=None if offset is None else offset.total_seconds(),
    )
    return row


@pytest.mark.parametrize(
    ("offset", "verdict"),
    [
        (0, Verdict.OK),
        (5, Verdict.OK),
        (-5.1, Verdict.WARN),
        (60, Verdict.WARN),
        (-60.1, Verdict.WRONG),
        (400 * 86400, Verdict.WRONG),
        (-400 * 86400 - 1, Verdict.UNSET),
    ],
)
def test_an_offset_is_judged(offset: float, verdict: Verdict) -> None:
    assert decide(offset) is verdict


def test_a_clock_is_measured_in_the_devices_zone() -> None:
    shown = datetime(2026, 1, 1, 20, 0, 30)  # noqa: DTZ001
    assert offset_s(shown, wall=NOW, zone=SHANGHAI) == 30
    assert offset_s(datetime(1, 1, 1), wall=NOW, zone=SHANGHAI) is None  # noqa: DTZ001


@pytest.mark.parametrize("offset", [-30 * DAY, -8 * HOUR, timedelta(0), 8 * HOUR, 300 * DAY, -26 * 365 * DAY])
def test_what_was_made_just_now_is_live_however_wrong_the_clock(offset: timedelta) -> None:
    row = placed(NOW - timedelta(seconds=20) + offset, offset=offset)
    assert (row.reading.acquisition, row.reading.measured_at) == (Acquisition.SPOT, NOW)
    assert row.reading.quality is Quality.GOOD


@pytest.mark.parametrize("offset", [-30 * DAY, -8 * HOUR, 8 * HOUR, 300 * DAY])
def test_a_record_sent_once_by_a_wrong_clock_is_moved_to_its_true_time(offset: timedelta) -> None:
    row = placed(NOW - 9 * DAY + offset, offset=offset)
    assert (row.reading.acquisition, row.reading.measured_at) == (Acquisition.STORED, NOW - 9 * DAY)
    assert row.reading.quality is Quality.GOOD


@pytest.mark.parametrize("offset", [timedelta(seconds=60), timedelta(seconds=-60), timedelta(0)])
def test_a_record_of_a_clock_that_is_right_keeps_its_time(offset: timedelta) -> None:
    shown = NOW - 9 * DAY
    assert placed(shown, offset=offset).reading.measured_at == shown


def test_a_record_that_can_be_fetched_again_keeps_the_time_that_names_it() -> None:
    shown = NOW - 9 * DAY
    first, second = (placed(shown, offset=offset, from_storage=True) for offset in (-8 * HOUR, timedelta(0)))
    assert first.reading.measured_at == second.reading.measured_at == shown
    assert placed(NOW, offset=timedelta(0), from_storage=True).reading.acquisition is Acquisition.STORED


def test_a_clock_just_set_shows_our_time_and_one_that_ran_behind_never_did_before() -> None:
    row = placed(NOW, offset=-8 * HOUR)
    assert (row.reading.acquisition, row.reading.quality) == (Acquisition.SPOT, Quality.GOOD)


def test_now_or_as_old_as_the_clock_was_ahead_nobody_can_tell() -> None:
    row = placed(NOW, offset=8 * HOUR)
    assert (row.reading.acquisition, row.reading.measured_at) == (Acquisition.SPOT, NOW)
    assert (row.reading.quality, row.reading.reason) == (Quality.QUESTIONABLE, Reason.UNKNOWN)


def test_our_own_clock_put_right_on_the_link_makes_no_doubt_of_what_is_live() -> None:
    row = placed(NOW, offset=56 * 365 * DAY)  # the device's right clock was read while ours said 1970
    assert (row.reading.acquisition, row.reading.quality) == (Acquisition.SPOT, Quality.GOOD)


def test_a_clock_never_set_says_nothing_of_a_memory() -> None:
    row = placed(NOW - 26 * 365 * DAY - 3 * DAY, offset=-26 * 365 * DAY)
    assert (row.reading.acquisition, row.reading.quality) == (Acquisition.SPOT, Quality.QUESTIONABLE)


def test_a_record_that_would_lie_ahead_of_us_is_in_doubt() -> None:
    row = placed(NOW - HOUR, offset=-30 * DAY)  # made before the clock was lost
    assert (row.reading.acquisition, row.reading.quality) == (Acquisition.SPOT, Quality.QUESTIONABLE)


def test_without_a_right_clock_of_our_own_the_devices_tells_live_from_memory() -> None:
    offset = 56 * 365 * DAY  # ours says 1970
    live = placed(NOW + offset - timedelta(seconds=3), offset=offset, synchronised=False)
    old = placed(NOW + offset - 3 * HOUR, offset=offset, synchronised=False)
    assert (live.reading.acquisition, live.reading.measured_at) == (Acquisition.SPOT, NOW)
    assert (old.reading.acquisition, old.reading.measured_at) == (Acquisition.STORED, NOW + offset - 3 * HOUR)
    assert placed(NOW, offset=8 * HOUR, synchronised=False).reading.acquisition is Acquisition.STORED


@given(
    offset_s=st.integers(-500 * 86400, 500 * 86400),
    age_s=st.integers(0, 390 * 86400),
    from_storage=st.booleans(),
)
def test_no_record_is_ever_dated_ahead_and_good_but_where_it_can_be_fetched_again(
    offset_s: int, age_s: int, from_storage: bool
) -> None:
    shown = NOW + timedelta(seconds=offset_s - age_s)
    reading = placed(shown, offset=timedelta(seconds=offset_s), from_storage=from_storage).reading
    if reading.measured_at > NOW + timedelta(seconds=60):
        assert from_storage
    if reading.acquisition is Acquisition.STORED and not from_storage:
        assert abs((NOW - reading.measured_at).total_seconds() - age_s) <= 60


@given(offset_s=st.integers(-(10**9), 10**9), age_s=st.integers(130, 400 * 86400))
@example(offset_s=400 * 86400 + 1, age_s=400 * 86400 - 4)
def test_an_old_record_is_never_live(offset_s: int, age_s: int) -> None:
    shown = NOW + timedelta(seconds=offset_s - age_s)
    found = origin(shown, wall=NOW, live_within=timedelta(minutes=2), offset_s=offset_s, may_be_set=True)
    assert found is not Origin.LIVE


@pytest.mark.parametrize(
    ("shown", "offset_s"), [("9999-12-31T23:59:59+00:00", -8 * 3600.0), ("0001-01-01T00:00:00+00:00", 8 * 3600.0)]
)
def test_a_time_moved_beyond_the_calendar_is_no_time(shown: str, offset_s: float) -> None:
    assert made_at(datetime.fromisoformat(shown), wall=NOW, offset_s=offset_s, can_be_fetched_again=False) is None


def test_beyond_400_days_no_time_is_made() -> None:
    assert made_at(NOW - 401 * DAY, wall=NOW, offset_s=-61, can_be_fetched_again=False) is None
