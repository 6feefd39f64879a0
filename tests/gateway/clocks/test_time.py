"""Whatever is done to the clock, a reading is sent with the time it was made at: histories of clocks and boots."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.box.machine import Clocks, Timekeeper
from gateway.clocks.boots import Boots
from gateway.clocks.placing import Stamp, Stamped
from gateway.intake.instants import Instants
from gateway.outbox.boots import read_boots
from gateway.outbox.outbox import Outbox
from gateway.outbox.rows import ROW_END, RowRange
from gateway.uplink.packing import Moment, pack_front
from vitals.clock import ClinicalClock
from vitals.reading import Acquisition, Reading
from vitals.signals import Signal
from vitals.wire import rows_of, unpack

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RIGHT = timedelta(0)
IN_1970 = datetime(1970, 1, 1, tzinfo=UTC) - BEGAN


@dataclass(kw_only=True)
class World:
    """The true time, and a machine whose wall clock is so far off it."""

    true: datetime = BEGAN
    boot_id: int = 1
    booted: datetime = BEGAN
    error: timedelta = RIGHT
    synchronised: bool = False

    def read(self) -> Clocks:
        mono_ms = (self.true - self.booted) // timedelta(milliseconds=1)
        return Clocks(wall=self.true + self.error, mono_ms=mono_ms)

    def is_synchronised(self) -> bool:
        return self.synchronised


@dataclass(kw_only=True)
class Sent:
    """One row as a centre gets it."""

    measured_ms: int
    synchronised: bool
    shift_ms: int  # received - sent, which ingest adds where no synchronised clock vouches


class Home:
    """A gateway's stamping, outbox and packing on a real file, with the radio and the broker left out."""

    def __init__(self, folder: Path, world: World) -> None:
        self.world = world
        self.path = folder / "outbox.sqlite"
        self.truth: dict[int, datetime] = {}
        self.boot_of: dict[int, int] = {}
        self.begin()

    def begin(self) -> None:
        """Start the gateway's process."""
        self.outbox = Outbox(self.path, bytes_max=1 << 30, undecoded_max=1)
        self.boots: Boots = read_boots(self.path, present=self.world.boot_id)
        self.keeper = Timekeeper(ClinicalClock(), self.world)
        self.instants = Instants()

    def reboot(self, *, off: timedelta, error: timedelta) -> None:
        """Lose power for a time; the clock comes up with an error, and unbelieved."""
        self.outbox.close()
        world = self.world
        world.true += off
        world.boot_id, world.booted, world.error, world.synchronised = world.boot_id + 1, world.true, error, False
        self.begin()

    def measure(self) -> None:
        """Accept one live reading."""
        stamp = self.instants.distinct("AA", self.keeper.stamp())
        rows = self.outbox.accept([_stamped(stamp)])
        assert rows is not None
        self.truth[rows.first] = self.world.true
        self.boot_of[rows.first] = self.world.boot_id

    def send(self) -> dict[int, Sent]:
        """Send and forget all that lies in the outbox."""
        now, sent = self.keeper.stamp(), dict[int, Sent]()
        left = self.outbox.read(RowRange(0, ROW_END), limit=10_000)
        while left.rows:
            packed = pack_front(left, Moment(stamp=now, boots=self.boots), backlog=True, rows_max=1000)
            message = unpack(packed.payload)
            header = message.header
            for number, row in enumerate(rows_of(message), header.first_row):
                sent[number] = Sent(
                    measured_ms=header.t0_ms + row.offset * header.offset_unit_ms,
                    synchronised=header.synchronised,
                    shift_ms=_ms(self.world.true) - header.sent_ms,
                )
            left = self.outbox.read(RowRange(packed.rows.end, ROW_END), limit=10_000)
        if sent:
            self.outbox.stored([RowRange(min(sent), max(sent) + 1)])
        return sent

    def off_ms(self, number: int, row: Sent) -> int:
        """Say how far from the truth a row lands in the centre."""
        return row.measured_ms + (0 if row.synchronised else row.shift_ms) - _ms(self.truth[number])


def _stamped(stamp: Stamp) -> Stamped:
    return Stamped(
        reading=Reading(
            device="AA",
            signal=Signal.SPO2,
            measured_at=stamp.wall,
            value=9700,
            acquisition=Acquisition.CONTINUOUS,
        ),
        mono_ms=stamp.mono_ms,
        boot_id=stamp.boot_id,
        synchronised=stamp.synchronised,
    )


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def measured(home: Home, seconds: int) -> None:
    for _ in range(seconds):
        home.world.true += timedelta(seconds=1)
        home.measure()


@pytest.mark.parametrize("error", [IN_1970, -9 * HOUR, 8 * HOUR, -DAY])
def test_what_was_read_before_the_clock_was_right_is_put_right(tmp_path: Path, error: timedelta) -> None:
    home = Home(tmp_path, World(error=error))
    measured(home, 90)
    home.world.error, home.world.synchronised = RIGHT, True
    measured(home, 30)
    sent = home.send()
    assert len(sent) == 120
    assert all(row.synchronised for row in sent.values())
    assert max(abs(home.off_ms(number, row)) for number, row in sent.items()) <= 1
    assert sorted(sent.values(), key=lambda row: row.measured_ms) == list(sent.values())


@pytest.mark.parametrize("error", [IN_1970, -9 * HOUR, 8 * HOUR])
def test_while_it_stays_wrong_ingest_can_still_tell(tmp_path: Path, error: timedelta) -> None:
    home = Home(tmp_path, World(error=error))
    measured(home, 90)
    sent = home.send()
    assert not any(row.synchronised for row in sent.values())
    assert max(abs(home.off_ms(number, row)) for number, row in sent.items()) <= 1


@pytest.mark.parametrize("error", [HOUR, -HOUR, timedelta(seconds=3), timedelta(seconds=-3)])
def test_what_a_wrong_server_stamped_follows_the_right_one(tmp_path: Path, error: timedelta) -> None:
    home = Home(tmp_path, World(synchronised=True, error=error))
    measured(home, 90)
    home.world.error = RIGHT
    measured(home, 30)
    sent = home.send()
    assert max(abs(home.off_ms(number, row)) for number, row in sent.items()) <= 1
    assert home.keeper.watch.jumps_synchronised == 1


def test_a_reboot_loses_no_time_where_the_clock_was_once_right(tmp_path: Path) -> None:
    home = Home(tmp_path, World(error=IN_1970))
    measured(home, 60)
    home.world.error, home.world.synchronised = RIGHT, True
    measured(home, 20)
    home.reboot(off=3 * HOUR, error=IN_1970)
    measured(home, 60)
    home.world.error, home.world.synchronised = RIGHT, True
    sent = home.send()
    assert len(sent) == 140
    assert all(row.synchronised for row in sent.values())
    assert max(abs(home.off_ms(number, row)) for number, row in sent.items()) <= 1


def test_a_boot_that_never_knew_the_time_is_late_by_how_long_it_was_off(tmp_path: Path) -> None:
    home = Home(tmp_path, World(error=IN_1970))
    measured(home, 60)
    home.reboot(off=timedelta(minutes=2), error=IN_1970)
    measured(home, 60)
    home.reboot(off=timedelta(minutes=5), error=IN_1970)
    measured(home, 10)
    home.world.error, home.world.synchronised = RIGHT, True
    sent = home.send()
    off = [home.off_ms(number, row) for number, row in sorted(sent.items())]
    assert set(off[:60]) == {7 * 60_000}
    assert set(off[60:120]) == {5 * 60_000}
    assert set(off[120:]) == {0}
    assert [row.synchronised for row in sent.values()] == [False] * 120 + [True] * 10


class Kind:
    """What may happen in a history."""

    RUN = st.tuples(st.just("run"), st.integers(1, 20))
    LET_PASS = st.tuples(st.just("pass"), st.integers(1, 7200))
    SET_RIGHT = st.tuples(st.just("right"), st.booleans())
    SET_WRONG = st.tuples(
        st.just("wrong"),
        st.tuples(st.sampled_from([HOUR, -HOUR, 8 * HOUR, IN_1970, timedelta(seconds=-3)]), st.booleans()),
    )
    REBOOT = st.tuples(
        st.just("reboot"), st.tuples(st.integers(1, 7200), st.sampled_from([IN_1970, -HOUR, RIGHT, 2 * HOUR]))
    )
    SEND = st.tuples(st.just("send"), st.none())
    ANY = st.lists(st.one_of(RUN, RUN, LET_PASS, SET_RIGHT, SET_WRONG, REBOOT, SEND), max_size=25)


@settings(deadline=None, max_examples=150)
@given(Kind.ANY)
def test_any_history_of_clocks(history: Iterable[tuple[str, object]]) -> None:
    with TemporaryDirectory() as folder:
        home = Home(Path(folder), World(error=IN_1970))
        _live_through(home, itertools.chain(history, [("right", True), ("run", 3), ("send", None)]))
        home.outbox.close()


def _live_through(home: Home, history: Iterable[tuple[str, object]]) -> None:
    world = home.world
    for what, how in history:
        match what, how:
            case "run", int(seconds):
                measured(home, seconds)
            case "pass", int(seconds):
                world.true += timedelta(seconds=seconds)
                home.keeper.stamp()
            case "right", bool(believed):
                world.error, world.synchronised = RIGHT, believed
            case "wrong", (timedelta() as error, bool(believed)):
                world.error, world.synchronised = error, believed
            case "reboot", (int(off_s), timedelta() as error):
                home.reboot(off=timedelta(seconds=off_s), error=error)
            case "send", _:
                _check(home, home.send())


def _check(home: Home, sent: dict[int, Sent]) -> None:
    """Hold what was sent against the truth. What the kernel says is asked every 10 s: the stamp's word counts."""
    world, is_believed = home.world, home.keeper.stamp().synchronised
    for boot_id in {home.boot_of[number] for number in sent}:
        rows = {number: row for number, row in sent.items() if home.boot_of[number] == boot_id}
        is_here = boot_id == world.boot_id
        if is_here and is_believed and world.error == RIGHT:
            assert max(abs(home.off_ms(number, row)) for number, row in rows.items()) <= 1000
        if is_here and is_believed:
            assert all(row.synchronised for row in rows.values())
        if not is_here or is_believed or not any(row.synchronised for row in rows.values()):
            assert all(a.measured_ms < b.measured_ms for a, b in itertools.pairwise(rows.values()))
    for number, row in sent.items():
        if not row.synchronised:  # never made older than it was, nor put into the future
            assert home.off_ms(number, row) >= -1
            assert row.measured_ms + row.shift_ms <= _ms(world.true) + 1


def test_a_boot_that_left_nothing_is_not_known() -> None:
    assert Boots().dated_ms(9, 5, speed=1.0) is None
    assert Boots().age_ms_min(9, 5, now_mono_ms=10, speed=1.0) is None
