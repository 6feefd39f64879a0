"""Two measurements of one device never share a millisecond, and a clock set back is believed."""

from datetime import UTC, datetime, timedelta

from gateway.instants import Instants
from gateway.placing import Stamp

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def stamp(milliseconds: float) -> Stamp:
    return Stamp(
        wall=T0 + timedelta(milliseconds=milliseconds), mono_ms=int(milliseconds), boot_id=1, synchronised=True
    )


def milliseconds(given: Stamp) -> float:
    return (given.wall - T0) / timedelta(milliseconds=1)


def test_a_burst_within_one_millisecond_is_spread_in_order() -> None:
    instants = Instants()
    out = [instants.distinct("a", stamp(ms)) for ms in (10, 10.2, 10.4, 11, 20)]
    assert [int(milliseconds(s)) for s in out] == [10, 11, 12, 13, 20]
    assert [s.mono_ms for s in out] == [10, 11, 12, 13, 20]


def test_the_boots_clock_is_kept_apart_too() -> None:
    instants = Instants()
    first = Stamp(wall=T0, mono_ms=10, boot_id=1, synchronised=False)
    second = Stamp(wall=T0 + timedelta(milliseconds=5), mono_ms=10, boot_id=1, synchronised=False)
    assert instants.distinct("a", first).mono_ms < instants.distinct("a", second).mono_ms


def test_devices_do_not_push_one_another() -> None:
    instants = Instants()
    assert {milliseconds(instants.distinct(device, stamp(10))) for device in ("a", "b", "c")} == {10}


def test_a_clock_set_back_by_more_than_a_second_is_believed() -> None:
    instants = Instants()
    instants.distinct("a", stamp(10_000))
    assert milliseconds(instants.distinct("a", stamp(9_001))) == 10_001
    assert milliseconds(instants.distinct("a", stamp(5_000))) == 5_000
