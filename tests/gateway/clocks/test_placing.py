"""Which time and acquisition a decoded payload gets."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.clocks.placing import STORED_AGE_MAX, Place, Stamp, Stamped, as_heard, place
from gateway.gatt.decoders import decode
from vitals.quality import Quality, Reason
from vitals.reading import Acquisition

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)  # 20:00 in Shanghai
SHANGHAI = Place(zone=ZoneInfo("Asia/Shanghai"), stored_after=timedelta(minutes=2))
STAMP = Stamp(wall=NOW, mono_ms=5, boot_id=7, synchronised=True)
UNSYNCHRONISED = Stamp(wall=NOW, mono_ms=5, boot_id=7, synchronised=False)


def temperature(device_time: datetime | None, *, stamp: Stamp = STAMP, where: Place = SHANGHAI) -> Stamped:
    payload = bytes.fromhex("02700100ff" if device_time else "00700100ff")
    if device_time:
        payload += device_time.year.to_bytes(2, "little")
        payload += bytes((device_time.month, device_time.day, device_time.hour, device_time.minute, device_time.second))
    (row,) = place(decode("2a1c", payload), device="AA", stamp=stamp, place=where)
    return row


def shanghai(instant: datetime) -> datetime:
    return instant.astimezone(ZoneInfo("Asia/Shanghai"))


def test_a_stream_is_stamped_by_the_gateway() -> None:
    rows = place(decode("2a5f", bytes.fromhex("0061004800")), device="AA", stamp=STAMP, place=SHANGHAI)
    assert {(r.reading.acquisition, r.reading.measured_at) for r in rows} == {(Acquisition.CONTINUOUS, NOW)}
    assert {(r.mono_ms, r.boot_id, r.synchronised) for r in rows} == {(5, 7, True)}


def test_a_measurement_without_a_time_is_a_spot_stamped_by_the_gateway() -> None:
    assert (temperature(None).reading.acquisition, temperature(None).reading.measured_at) == (Acquisition.SPOT, NOW)


@pytest.mark.parametrize(
    ("age", "acquisition"),
    [
        (timedelta(seconds=-3600), Acquisition.SPOT),  # the device's clock is ahead: live, stamped by the gateway
        (timedelta(seconds=0), Acquisition.SPOT),
        (timedelta(seconds=120), Acquisition.SPOT),
        (timedelta(seconds=121), Acquisition.STORED),
        (timedelta(days=3), Acquisition.STORED),
    ],
)
def test_an_older_device_time_means_a_memory(age: timedelta, acquisition: Acquisition) -> None:
    reading = temperature(shanghai(NOW - age)).reading
    assert reading.acquisition is acquisition
    assert reading.measured_at == (NOW - age if acquisition is Acquisition.STORED else NOW)
    assert (reading.value, reading.quality) == (3680, Quality.GOOD)


def test_an_unset_device_clock_is_not_a_memory_but_a_doubt() -> None:
    edge = temperature(shanghai(NOW - STORED_AGE_MAX)).reading
    beyond = temperature(shanghai(NOW - STORED_AGE_MAX - timedelta(seconds=1))).reading
    assert edge.acquisition is Acquisition.STORED
    assert (beyond.acquisition, beyond.measured_at) == (Acquisition.SPOT, NOW)
    assert (beyond.value, beyond.quality, beyond.reason) == (3680, Quality.QUESTIONABLE, Reason.UNKNOWN)


@pytest.mark.parametrize("shown", [datetime(2000, 1, 1, 0, 7), NOW - STORED_AGE_MAX - timedelta(seconds=1)])  # noqa: DTZ001
@pytest.mark.parametrize("offset_s", [None, -26 * 365 * 86400.0, 0.0])
def test_a_record_of_a_clock_never_set_is_a_record_of_no_known_time(shown: datetime, offset_s: float | None) -> None:
    rows = stored_spot_check(shown, offset_s=offset_s)
    assert {(r.reading.acquisition, r.reading.measured_at) for r in rows} == {(Acquisition.STORED, NOW)}
    assert [(r.reading.value, r.reading.quality, r.reading.reason) for r in rows] == [
        (9700, Quality.INVALID, Reason.UNKNOWN),
        (7200, Quality.INVALID, Reason.UNKNOWN),
    ]


@pytest.mark.parametrize("ahead", [timedelta(minutes=2), timedelta(days=300)])
@pytest.mark.parametrize("offset_s", [None, 0.0, 3600.0])
def test_a_record_dated_ahead_keeps_its_time_for_ingest_to_refuse(ahead: timedelta, offset_s: float | None) -> None:
    rows = stored_spot_check(shanghai(NOW + ahead), offset_s=offset_s)
    assert {(r.reading.acquisition, r.reading.measured_at) for r in rows} == {(Acquisition.STORED, NOW + ahead)}
    assert {r.reading.quality for r in rows} == {Quality.GOOD}


@pytest.mark.parametrize(
    ("synchronised", "offset_s", "may_be_live"),
    [(True, None, False), (False, None, True), (False, 0.0, False), (False, -3 * 3600.0, False)],
)
def test_what_may_be_live_is_what_no_clock_can_tell_the_age_of(
    synchronised: bool, offset_s: float | None, may_be_live: bool
) -> None:
    payload = spot_check_bytes(shanghai(NOW - timedelta(hours=3)))
    stamp = STAMP if synchronised else UNSYNCHRONISED
    rows = place(decode("2a5e", payload), device="AA", stamp=stamp, place=SHANGHAI, clock_offset_s=offset_s)
    assert {row.may_be_live for row in rows} == {may_be_live}
    live = {Acquisition.SPOT} if may_be_live or offset_s else {Acquisition.STORED}
    assert {as_heard(row).reading.acquisition for row in rows} == live


def spot_check_bytes(shown: datetime, *, from_storage: bool = False) -> bytes:
    time = shown.year.to_bytes(2, "little") + bytes((shown.month, shown.day, shown.hour, shown.minute, shown.second))
    head, tail = ("03", "0002") if from_storage else ("01", "")
    return bytes.fromhex(head + "61004800") + time + bytes.fromhex(tail)


def stored_spot_check(shown: datetime, *, offset_s: float | None) -> list[Stamped]:
    payload = spot_check_bytes(shown, from_storage=True)
    return place(decode("2a5e", payload), device="AA", stamp=STAMP, place=SHANGHAI, clock_offset_s=offset_s)


def test_while_our_own_clock_is_in_doubt_a_device_that_gives_a_time_is_believed() -> None:
    reading = temperature(shanghai(NOW + timedelta(days=300)), stamp=UNSYNCHRONISED).reading
    assert (reading.acquisition, reading.measured_at) == (Acquisition.STORED, NOW + timedelta(days=300))


def test_what_a_device_calls_stored_is_stored_however_new() -> None:
    payload = bytes.fromhex("03610048 00".replace(" ", "") + "ea070101133b3b" + "0002")  # 19:59:59 in Shanghai
    rows = place(decode("2a5e", payload), device="AA", stamp=STAMP, place=SHANGHAI)
    assert {(r.reading.acquisition, r.reading.measured_at) for r in rows} == {
        (Acquisition.STORED, NOW - timedelta(seconds=1))
    }


def test_the_first_of_two_equal_hours_is_meant_in_autumn() -> None:
    berlin = Place(zone=ZoneInfo("Europe/Berlin"), stored_after=timedelta(minutes=2))
    reading = temperature(datetime(2025, 10, 26, 2, 30), where=berlin).reading  # noqa: DTZ001
    assert reading.measured_at == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("year", [1, 9999])
def test_a_year_beyond_the_calendar_is_no_crash(year: int) -> None:
    day = (1, 1) if year == 1 else (12, 31)
    assert temperature(datetime(year, *day, 0, 0), stamp=UNSYNCHRONISED).reading.value == 3680  # noqa: DTZ001
