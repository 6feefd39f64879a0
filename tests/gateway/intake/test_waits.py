"""The waits until readings are safe: percentiles by nearest rank, of a bounded number of groups."""

from gateway.intake.waits import KEPT_MAX, Waits


def test_nothing_is_said_before_the_first_group() -> None:
    assert Waits().summary() is None


def test_one_group_is_every_percentile() -> None:
    waits = Waits()
    waits.note(4.0)
    assert waits.summary() == {"groups": 1, "p50": 4.0, "p95": 4.0, "max": 4.0}


def test_percentiles_are_by_nearest_rank() -> None:
    waits = Waits()
    for wait_ms in range(100, 0, -1):
        waits.note(float(wait_ms))
    assert waits.summary() == {"groups": 100, "p50": 50.0, "p95": 95.0, "max": 100.0}


def test_only_the_newest_groups_count() -> None:
    waits = Waits()
    waits.note(9999.0)
    for _ in range(KEPT_MAX):
        waits.note(1.0)
    assert waits.summary() == {"groups": KEPT_MAX, "p50": 1.0, "p95": 1.0, "max": 1.0}
