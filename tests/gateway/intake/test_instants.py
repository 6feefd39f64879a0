"""Two measurements of one device never share a millisecond, and a clock set back is believed."""

from datetime import UTC, datetime, timedelta

from gateway.clocks.placing import Stamp
from gateway.intake.instants import Instants

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


def test_a_leap_second_inverts_nothing() -> None:
    instants = Instants()
    out = [milliseconds(instants.distinct("a", stamp(ms))) for ms in (9_000, 10_000, 10_000, 11_000, 12_000)]
    assert out == [9_000, 10_000, 10_001, 11_000, 12_000]
    back = Instants()
    wall = (58_000, 59_000, 59_000, 60_000)  # 23:59:60 is shown as 23:59:59 again
    walls = [
        Stamp(wall=T0 + timedelta(milliseconds=w), mono_ms=m, boot_id=1, synchronised=True)
        for m, w in zip((1_000, 2_000, 3_000, 4_000), wall, strict=True)
    ]
    times = [milliseconds(back.distinct("a", s)) for s in walls]
    assert times == sorted(set(times))


def test_after_a_jump_back_no_instant_of_late_is_given_twice() -> None:
    instants = Instants()
    before = [instants.distinct("a", stamp(ms)) for ms in range(0, 60_000, 1_000)]
    after = [
        instants.distinct(
            "a", Stamp(wall=T0 + timedelta(milliseconds=ms), mono_ms=60_000 + ms, boot_id=1, synchronised=True)
        )
        for ms in range(0, 60_000, 1_000)  # a minute back: the same milliseconds again
    ]
    walls = [milliseconds(s) for s in (*before, *after)]
    assert len(set(walls)) == len(walls)
    assert max(abs(milliseconds(s) - ms) for s, ms in zip(after, range(0, 60_000, 1_000), strict=True)) == 1


def test_a_burst_keeps_its_distance_where_instants_lie_halfway_between_two_milliseconds() -> None:
    instants = Instants()
    out = [instants.distinct("a", stamp(ms)).wall_ms for ms in (12.2, 12.5, 13.7, 14.5)]
    assert len(set(out)) == 4
    assert out == sorted(out)
