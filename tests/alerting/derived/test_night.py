"""A night's report: desaturations by their definition, time below limits as a reference has it."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.derived.night import HOLD_MS, Ints, Oximetry, measure, report, sketch

HOUR_S = 3600


def night(values: list[float], *, every_s: float = 1) -> tuple[Ints, Ints]:
    """Give a night's values, percent, as the report takes them."""
    t_ms = (np.arange(len(values)) * every_s * 1000).astype(np.int64)
    return t_ms, np.round(np.array(values) * 100).astype(np.int64)


def dip(*, depth: float, seconds: int, to: float = 96) -> list[float]:
    """Draw a level with one fall that lasts so long from its last sample before to its first after."""
    return [to] * 100 + [to - depth] * (seconds - 1) + [to] * 100


@pytest.mark.parametrize(
    ("depth", "seconds", "odi3", "odi4"),
    [
        (2.99, 30, 0, 0),
        (3, 30, 1, 0),
        (3.99, 30, 1, 0),
        (4, 30, 1, 1),
        (12, 30, 1, 1),
        (4, 9, 0, 0),
        (4, 10, 1, 1),
        (4, 60, 1, 1),
        (4, 61, 0, 0),
    ],
)
def test_a_fall_counts_by_its_depth_and_its_length(depth: float, seconds: int, odi3: int, odi4: int) -> None:
    assert measure(*night(dip(depth=depth, seconds=seconds))).desaturations == (odi3, odi4)


def test_a_fall_ends_when_it_is_back_within_a_point() -> None:
    slow = [96.0] * 100 + [92.0] * 20 + [94.9] * 20 + [95.0] * 100
    assert measure(*night(slow)).desaturations == (1, 1)
    never = [96.0] * 100 + [92.0] * 20 + [94.9] * 100
    assert measure(*night(never)).desaturations == (0, 0)


def test_a_drift_over_minutes_is_no_fall() -> None:
    assert measure(*night(list(np.linspace(98, 88, 900)))).desaturations == (0, 0)


def test_a_gap_ends_what_had_begun() -> None:
    t_ms, values = night(dip(depth=5, seconds=30))
    kept = (t_ms < 105_000) | (t_ms > 105_000 + HOLD_MS)
    assert measure(t_ms[kept], values[kept]).desaturations == (0, 0)
    assert measure(t_ms[kept], values[kept]).gaps == 1


def test_the_index_is_of_valid_hours() -> None:
    t_ms, values = night(dip(depth=5, seconds=30) * 360)
    found = report(t_ms, values)
    assert found.valid_hours == pytest.approx(len(t_ms) / HOUR_S)
    assert found.found is not None
    assert found.found.odi == pytest.approx((360 / found.valid_hours,) * 2)


@pytest.mark.parametrize(("seconds", "available"), [(4 * HOUR_S - 1, False), (4 * HOUR_S, True)])
def test_under_four_valid_hours_there_is_no_report(seconds: int, available: bool) -> None:
    assert (report(*night([96.0] * seconds)).found is not None) is available


def test_no_value_at_all_is_no_report() -> None:
    found = report(np.zeros(0, np.int64), np.zeros(0, np.int64))
    assert (found.valid_hours, found.found) == (0.0, None)


def test_a_slow_device_is_not_valid_for_longer_than_a_value_holds() -> None:
    assert report(*night([96.0] * 720, every_s=60)).found is None


def test_one_false_sample_is_the_lowest_and_not_the_steady_lowest() -> None:
    found = measure(*night([96.0] * 50 + [61.0] + [95.0] * 50))
    assert (found.lowest, found.lowest_steady) == (6100, 9500)


def test_times_below_are_strict_and_unbroken_runs_end_with_a_value_or_a_gap() -> None:
    t_ms, values = night([90.0] * 10 + [89.99] * 20 + [90.0] + [80.0] * 30)
    below = {each.limit: each for each in measure(t_ms, values).below}
    assert (below[9000].total_ms, below[9000].longest_ms) == (50_000, 30_000)
    later = np.where(t_ms >= 45_000, t_ms + 60_000, t_ms)
    below = {each.limit: each for each in measure(later, values).below}
    assert (below[9000].total_ms, below[9000].longest_ms) == (50_000, 20_000)


@given(
    st.lists(st.tuples(st.integers(1, 30_000), st.integers(7000, 10_000)), min_size=1, max_size=200),
)
def test_parts_never_pass_the_whole(drawn: list[tuple[int, int]]) -> None:
    t_ms = np.cumsum([step for step, _ in drawn]).astype(np.int64)
    found = measure(t_ms, np.array([value for _, value in drawn], np.int64))
    for wider, narrower in zip(found.below, found.below[1:], strict=False):
        assert narrower.total_ms <= wider.total_ms
        assert narrower.longest_ms <= wider.longest_ms
    assert all(0 <= each.longest_ms <= each.total_ms <= found.valid_ms for each in found.below)
    assert found.valid_ms <= int(t_ms[-1] - t_ms[0]) + HOLD_MS
    assert found.lowest <= found.lowest_steady
    assert found.desaturations[1] <= len(drawn)


def test_a_sketch_keeps_the_lowest_and_leaves_gaps_empty() -> None:
    t_ms, values = night([96, 95, 97, 90, 96, 96])
    assert sketch(t_ms, values, begin_ms=0, end_ms=8000, steps=4) == [9500, 9000, 9600, None]
    assert sketch(t_ms[:0], values[:0], begin_ms=0, end_ms=8000, steps=2) == [None, None]


def references() -> list[dict[str, str]]:
    """Read the reference's rows; none where there are no recordings, and then the test below is skipped."""
    path = Path(__file__).resolve().parents[4] / "shared" / "recordings" / "REFERENCE_spo2.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.is_file() else []


def series(recordings: Path, source: str, name: str) -> Oximetry:
    """Measure one series as the reference does: once a second, what is missing or 0 left out."""
    file, _, device = name.partition("#dev")
    column = int(device) if device else 4
    path = recordings / source / file
    if not path.is_file():
        pytest.skip(f"no {path.name} among the recordings")
    with path.open(encoding="utf-8-sig") as lines:
        rows = [row for row in list(csv.reader(lines))[1:] if len(row) > column]
    read = np.array([float(row[column]) if row[column].strip() not in ("", "NaN") else 0.0 for row in rows])
    t_ms, values = night(list(read))
    return measure(t_ms[read > 0], values[read > 0])


@pytest.mark.parametrize("row", references() or [None], ids=lambda row: row["name"] if row else "none")
def test_minutes_and_unbroken_runs_are_the_references(recordings: Path, row: dict[str, str] | None) -> None:
    assert row is not None, "the recordings have no REFERENCE_spo2.csv"
    found = series(recordings, row["set"], row["name"])
    for each in found.below:
        percent = each.limit // 100
        # The reference is rounded to a tenth of a minute, half to even.
        assert each.total_ms / 60_000 == pytest.approx(float(row[f"min_lt{percent}"]), abs=0.05 + 1e-9)
        assert each.longest_ms / 1000 == float(row[f"longest_lt{percent}_s"])
    assert found.lowest / 100 == pytest.approx(float(row["min"]))
