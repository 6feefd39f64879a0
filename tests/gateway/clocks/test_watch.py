"""What counts as a jump of the wall clock, and the machine's own clocks read for real."""

import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.box.machine import Clocks, ClockTrust, LinuxMachine, Timekeeper
from gateway.clocks.watch import JUMP_MS_MIN, ClockWatch, observed
from vitals.clock import ClinicalClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR_MS = 3_600_000


class History:
    """A machine whose clocks are told what to show."""

    def __init__(self, *, wall: datetime = NOW, synchronised: bool = True) -> None:
        self.boot_id = 7
        self.wall = wall
        self.mono_ms = 10_000
        self.synchronised = synchronised
        self.asked = 0

    def read(self) -> Clocks:
        return Clocks(wall=self.wall, mono_ms=self.mono_ms)

    def is_synchronised(self) -> bool:
        self.asked += 1
        return self.synchronised

    def run(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.mono_ms += round(seconds * 1000)


def watched(*looks: tuple[int, int], synchronised: bool = True) -> ClockWatch:
    watch = ClockWatch()
    for wall_ms, mono_ms in looks:
        watch = observed(watch, wall_ms=wall_ms, mono_ms=mono_ms, synchronised=synchronised)
    return watch


@pytest.mark.parametrize(
    ("moved_ms", "jumps"), [(0, 0), (1_000, 0), (-2_000, 0), (2_000, 0), (2_001, 1), (-2_001, 1), (HOUR_MS, 1)]
)
def test_a_step_of_more_than_two_seconds_is_a_jump(moved_ms: int, jumps: int) -> None:
    watch = watched((0, 0), (10_000 + moved_ms, 10_000))
    assert (watch.jumps, watch.last_jump_ms) == (jumps, moved_ms if jumps else None)
    assert watch.jumps_synchronised == jumps


def test_a_first_look_is_none_and_a_jump_is_counted_once() -> None:
    assert watched((10**12, 5)).jumps == 0
    assert watched((0, 0), (HOUR_MS, 0), (HOUR_MS + 10, 10), (HOUR_MS + 20, 20)).jumps == 1


def test_a_clock_put_right_before_it_was_believed_is_told_apart() -> None:
    watch = watched((0, 0), (10**12, 10), synchronised=False)
    assert (watch.jumps, watch.jumps_synchronised, watch.last_jump_ms) == (1, 0, 10**12 - 10)


@given(st.lists(st.tuples(st.integers(1, 600_000), st.integers(-500, 500)), max_size=50))
def test_slewing_and_a_smeared_leap_second_are_no_jump(looks: list[tuple[int, int]]) -> None:
    """Up to 500 ppm against each other: twenty times what NTP bends them apart."""
    wall_ms = mono_ms = 0
    watch = ClockWatch()
    for passed_ms, ppm in looks:
        mono_ms += passed_ms
        wall_ms += passed_ms + passed_ms * ppm // 1_000_000
        watch = observed(watch, wall_ms=wall_ms, mono_ms=mono_ms, synchronised=True)
    assert watch.jumps == 0
    assert JUMP_MS_MIN > 600_000 * 500 // 1_000_000


def test_the_kernel_is_asked_now_and_then_and_whenever_the_clock_jumps() -> None:
    machine = History()
    keeper = Timekeeper(ClinicalClock(), machine)
    for _ in range(100):
        machine.run(0.05)
        assert keeper.stamp().synchronised
    assert machine.asked == 1
    machine.synchronised = False  # somebody has set the clock by hand
    machine.wall += timedelta(hours=1)
    assert not keeper.stamp().synchronised
    machine.run(1)
    machine.synchronised = True
    assert not keeper.stamp().synchronised  # asked again in its turn only
    machine.run(10)
    assert keeper.stamp().synchronised
    assert (keeper.watch.jumps, keeper.watch.last_jump_ms) == (1, HOUR_MS)


def test_a_stamp_never_carries_a_trust_that_came_after_its_time() -> None:
    """The clock is put right while the kernel is being asked: the time is read again behind the answer."""
    machine = History(wall=datetime(1970, 1, 1, tzinfo=UTC), synchronised=False)

    class PutRight(History):
        def is_synchronised(self) -> bool:
            self.wall = NOW
            return True

    machine = PutRight(wall=datetime(1970, 1, 1, tzinfo=UTC), synchronised=False)
    keeper = Timekeeper(ClinicalClock(), machine)
    first = keeper.stamp()
    assert not (first.synchronised and first.wall.year == 1970)
    machine.run(0.1)
    second = keeper.stamp()
    assert (second.synchronised, second.wall.year) == (True, 2026)


def test_elapsed_time_is_clinical_and_no_jump_moves_it() -> None:
    machine = History()
    keeper = Timekeeper(ClinicalClock(origin=NOW, speed=20.0), machine)
    before_ms = keeper.elapsed_ms(keeper.stamp().mono_ms)
    machine.run(1)
    machine.wall -= timedelta(hours=1)
    assert keeper.elapsed_ms(keeper.stamp().mono_ms) - before_ms == 20_000


@pytest.mark.parametrize(("trust", "believed"), [(ClockTrust.SYNCHRONISED, True), (ClockTrust.UNSYNCHRONISED, False)])
def test_the_operators_word_is_taken(trust: ClockTrust, believed: bool) -> None:
    assert LinuxMachine(trust).is_synchronised() is believed


def test_the_kernel_answers_whether_the_clock_is_synchronised_wherever_this_runs() -> None:
    """A real adjtimex(2): in a container without any NTP it says so, or says what its host has; it never raises."""
    assert LinuxMachine(ClockTrust.AUTO).is_synchronised() in (True, False)


def test_a_process_put_aside_between_two_clocks_reads_them_again(monkeypatch: pytest.MonkeyPatch) -> None:
    held_up_ns, tight_ns = 10_000_000_000, 1_000
    boottime = iter([0, held_up_ns, held_up_ns, held_up_ns + tight_ns])
    wall = iter([0, held_up_ns])  # the first was read before the process was put aside
    monkeypatch.setattr("gateway.box.machine.time.clock_gettime_ns", lambda _clock: next(boottime))
    monkeypatch.setattr("gateway.box.machine.time.time_ns", lambda: next(wall))
    read = LinuxMachine(ClockTrust.AUTO).read()
    assert (read.mono_ms, read.wall) == (10_000, datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC))


def test_the_machines_own_clocks_go_forward_within_one_boot() -> None:
    machine = LinuxMachine(ClockTrust.AUTO)
    reads = [machine.read().mono_ms for _ in range(1000)]
    assert reads == sorted(reads)
    assert machine.boot_id == zlib.crc32(Path("/proc/sys/kernel/random/boot_id").read_bytes().strip())
