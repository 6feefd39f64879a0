"""A chart's columns: gaps stay gaps, doubtful values stand apart, single measurements are not joined."""

from datetime import timedelta

from dashboards.series import Bucket, Span, lines, span_for
from vitals.signals import Signal


def bucket(at_s: float, mean: float | None, *, signal: str = "spo2", doubtful: float | None = None,
           continuous: bool = True) -> Bucket:  # fmt: skip
    return Bucket(
        signal=signal, bucket_s=at_s, low=mean, mean=mean, high=mean, doubtful=doubtful, refused=False,
        continuous=continuous,
    )  # fmt: skip


def test_a_gap_breaks_the_line() -> None:
    (line,) = lines([bucket(0, 96), bucket(10, 95), bucket(200, 94)], step_s=5)
    assert line.x == [0, 10, 15, 200]
    assert line.mean == [96, 95, None, 94]


def test_a_pause_shorter_than_the_limit_does_not() -> None:
    (line,) = lines([bucket(0, 96), bucket(60, 95)], step_s=5)
    assert line.mean == [96, 95]


def test_coarse_steps_do_not_tear_the_line_apart() -> None:
    (line,) = lines([bucket(0, 96), bucket(480, 95)], step_s=Span.FOUR_DAYS.step_s)
    assert line.mean == [96, 95]


def test_a_doubtful_value_is_no_part_of_the_line() -> None:
    (line,) = lines([bucket(0, 96), bucket(10, None, doubtful=81)], step_s=5)
    assert (line.mean, line.doubtful) == ([96, None], [None, 81])


def test_single_measurements_are_points() -> None:
    (line,) = lines([bucket(0, 38, signal="temperature", continuous=False)], step_s=5)
    assert (line.signal, line.spot) == (Signal.TEMPERATURE, True)


def test_signals_come_in_the_order_drawn() -> None:
    found = lines([bucket(0, 38, signal="temperature"), bucket(0, 96)], step_s=5)
    assert [line.signal for line in found] == [Signal.SPO2, Signal.TEMPERATURE]


def test_a_chart_opens_on_the_span_that_shows_the_beginning() -> None:
    ages = [timedelta(0), timedelta(minutes=54), timedelta(minutes=55), timedelta(hours=74), timedelta(days=9)]
    assert [span_for(age) for age in ages] == ["1h", "1h", "24h", "4d", "4d"]
