"""A number is shown only while it is fresh."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboards.newest import SPOT_SHOWN_FOR, Standing, Word, newest
from vitals.quality import Quality, Reason
from vitals.reading import Acquisition

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def word(age_s: float, *, value: int | None = 9260, quality: int = 0, reason: int = 0, spot: bool = False,
         every_s: int | None = 10, code: int = 1) -> Word:  # fmt: skip
    at = NOW - timedelta(seconds=age_s)
    return Word(
        patient_id=1,
        signal=code,
        acquisition=Acquisition.SPOT if spot else Acquisition.CONTINUOUS,
        value=value,
        quality=quality,
        reason=reason,
        measured_at=at,
        good_measured_at=at - timedelta(minutes=3),
        expected_every_s=every_s,
    )


@pytest.mark.parametrize(
    ("every_s", "stale_after_s"), [(10, 30), (None, 30), (1, 30), (60, 120), (300, 600)], ids=str
)  # fmt: skip
def test_a_stream_is_stale_at_twice_its_interval_and_not_before(every_s: int | None, stale_after_s: int) -> None:
    before = newest(word(stale_after_s - 0.001, every_s=every_s), NOW)
    after = newest(word(stale_after_s, every_s=every_s), NOW)
    assert (before.standing, before.number) == (Standing.LIVE, "92.6")
    assert (after.standing, after.value, after.number) == (Standing.STALE, None, "")
    assert after.last_at == NOW - timedelta(seconds=stale_after_s)


def test_one_measurement_stands_with_its_time_until_twice_the_daily_interval() -> None:
    length = SPOT_SHOWN_FOR.total_seconds()
    assert newest(word(length - 1, spot=True, every_s=None), NOW).standing is Standing.SPOT
    assert newest(word(length, spot=True, every_s=None), NOW).value is None


def test_a_doubtful_number_is_shown_as_such() -> None:
    shown = newest(word(5, quality=Quality.QUESTIONABLE, reason=Reason.POOR_SIGNAL), NOW)
    assert (shown.standing, shown.value, shown.reason) == (Standing.DOUBTFUL, 92.6, Reason.POOR_SIGNAL)


@pytest.mark.parametrize(("value", "quality"), [(None, Quality.QUESTIONABLE), (8000, Quality.INVALID), (None, 0)])
def test_a_refusal_shows_no_number_and_since_when_there_is_no_good_one(value: int | None, quality: int) -> None:
    shown = newest(word(5, value=value, quality=quality, reason=Reason.FINGER_OUT), NOW)
    assert (shown.standing, shown.value) == (Standing.REFUSED, None)
    assert shown.last_at == NOW - timedelta(minutes=3, seconds=5)


def test_an_unknown_reason_is_named_as_unknown() -> None:
    assert newest(word(5, reason=62), NOW).reason is Reason.UNKNOWN


@pytest.mark.parametrize(
    ("code", "value", "number"),
    [(1, 9260, "92.6"), (1, 9300, "93"), (2, 11849, "118"), (4, 3850, "38.5"), (4, 3855, "38.55"), (4, 3800, "38.0")],
)
def test_numbers_hide_nothing_by_rounding(code: int, value: int, number: str) -> None:
    assert newest(word(5, code=code, value=value), NOW).number == number
