"""The bell at work: a real command and real files, on a machine whose clocks are told what to show."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.alarm.bell import Bell
from gateway.alarm.centre import Facts
from gateway.alarm.files import AlarmFiles
from gateway.alarm.quiet import Quiet, Reason
from gateway.alarm.settings import LocalAlarmSettings, When
from gateway.box.machine import Clocks, Timekeeper
from gateway.clocks.placing import Stamped
from gateway.outbox.outbox import OutboxFull
from tests.falls import fall_s
from tests.gateway.waiting import eventually
from vitals.clock import ClinicalClock
from vitals.quality import Quality
from vitals.reading import Acquisition, Reading
from vitals.signals import Signal

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SPEED = 100.0  # the bell looks at what time decides every 50 ms
LOW, WELL = 8400, 9700
NUMBERS = LocalAlarmSettings()
FALL_S = fall_s(NUMBERS.rules().sustained)
GONE = Facts(connected=False, stored=0, waiting=1)
THERE = Facts(connected=True, stored=0, waiting=0)


class Machine:
    """Clocks that move when they are told to."""

    def __init__(self) -> None:
        self.boot_id = 7
        self.clinical_s = 1000.0
        self.wall_off = timedelta(0)

    def read(self) -> Clocks:
        machine_s = self.clinical_s / SPEED
        return Clocks(wall=BEGAN + timedelta(seconds=machine_s) + self.wall_off, mono_ms=round(machine_s * 1000))

    def is_synchronised(self) -> bool:
        return True


class Home:
    """One bell with what it stands among."""

    def __init__(self, folder: Path) -> None:
        self.machine = Machine()
        self.heard = folder / "heard"
        self.led = folder / "brightness"
        self.led.write_text("0")
        self.files = AlarmFiles(folder / "outbox.sqlite")
        self.facts: Facts | Exception = THERE
        self.disk = asyncio.Event()
        self.disk.set()
        self.looks = 0
        self.changes = 0
        self.settings = LocalAlarmSettings(
            command=("/bin/sh", "-c", f'echo "$HEARTHWATCH_ALARM" >> {self.heard}'), led=self.led
        )
        self.keeper = Timekeeper(ClinicalClock(origin=BEGAN, speed=SPEED), self.machine)
        self.bell: Bell

    async def look(self) -> Facts:
        await self.disk.wait()
        self.looks += 1
        if isinstance(self.facts, Exception):
            raise self.facts
        return self.facts

    @asynccontextmanager
    async def ringing(self, **settings: Any) -> AsyncIterator[None]:
        """Run the bell as the gateway does; leaving is a kill."""
        self.bell = Bell(
            self.settings.model_copy(update=settings),
            timekeeper=self.keeper,
            files=self.files,
            facts=self.look,
            on_change=self._changed,
            disk_s_max=0.05,
        )
        task = asyncio.create_task(self.bell.run())
        try:
            await self.seen()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def seen(self) -> None:
        """Wait until the bell has looked at things as they are."""
        looks = self.looks
        await eventually(lambda: self.looks >= looks + 2)

    async def passes(self, clinical_s: float) -> None:
        self.machine.clinical_s += clinical_s
        await self.seen()

    async def says(self, facts: Facts | Exception) -> None:
        self.facts = facts
        await self.seen()

    def reads(self, value: int | None, seconds: int, **how: Any) -> None:
        """Bring readings, one a clinical second."""
        for _ in range(seconds):
            self.machine.clinical_s += 1
            self.bell.heard([_reading(value, self.keeper, **how)])

    async def alone(self) -> None:
        await self.says(GONE)
        await self.passes(180)

    @property
    def report(self) -> dict[str, Any]:
        return self.bell.report(self.keeper.stamp())

    def lines(self) -> list[str]:
        return self.heard.read_text().splitlines() if self.heard.exists() else []

    def _changed(self) -> None:
        self.changes += 1


def _reading(value: int | None, keeper: Timekeeper, **how: Any) -> Stamped:
    stamp = keeper.stamp()
    reading = Reading(
        device=how.get("device", "AA"),
        signal=Signal.SPO2,
        measured_at=stamp.wall,
        value=value,
        quality=how.get("quality", Quality.GOOD),
        acquisition=how.get("acquisition", Acquisition.CONTINUOUS),
    )
    return Stamped(reading=reading, mono_ms=stamp.mono_ms, boot_id=stamp.boot_id, synchronised=stamp.synchronised)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def test_a_home_on_its_own_is_woken_and_the_centre_takes_over(home: Home) -> None:
    async with home.ringing():
        await home.alone()
        assert home.report["armed"] is True
        home.reads(LOW, FALL_S)
        await eventually(lambda: home.lines() == ["danger"])
        (sounding,) = home.report["sounding"]
        assert (sounding["device"], sounding["value"], sounding["why"]) == ("AA", 84.0, "sustained_low")
        await home.says(replace(THERE, stored=1, waiting=1))
        home.reads(LOW, round(NUMBERS.handover_s) - 1)
        assert home.report["sounding"]  # the centre is back, and has its time to act
        home.reads(LOW, 2)
        assert home.report["sounding"] == []
        (ended,) = home.report["ended"]
        assert (ended["device"], ended["ended_by"]) == ("AA", "centre")
        assert (home.report["sounded_total"], home.report["armed"]) == (1, False)
    assert home.changes == 2


async def test_while_the_centre_is_there_nothing_rings_and_in_an_outage_it_rings_at_once(home: Home) -> None:
    async with home.ringing():
        home.reads(LOW, FALL_S)
        await home.passes(1)
        assert (home.report["sounding"], home.lines()) == ([], [])
        await home.alone()
        await eventually(lambda: home.lines() == ["danger"])
        assert home.report["sounded_total"] == 1


async def test_always_rings_with_the_centre_there_until_values_are_well(home: Home) -> None:
    async with home.ringing(when=When.ALWAYS):
        home.reads(LOW, FALL_S)
        await eventually(lambda: home.lines() == ["danger"])
        home.reads(WELL, 622)
        assert home.report["ended"][0]["ended_by"] == "well"
        assert home.report["armed"] is True


@pytest.mark.parametrize("how", [{"quality": Quality.QUESTIONABLE}, {"acquisition": Acquisition.STORED}])
async def test_bad_values_and_records_ring_nothing(home: Home, how: dict[str, Any]) -> None:
    async with home.ringing():
        await home.alone()
        home.reads(LOW, 400, **how)
        await home.passes(400)
        assert (home.report["sounded_total"], home.lines()) == (0, [])


async def test_a_pause_takes_the_sound_away_until_it_ends_or_another_is_in_danger(home: Home) -> None:
    async with home.ringing():
        await home.alone()
        home.reads(LOW, FALL_S)
        await eventually(lambda: home.lines() == ["danger"])
        home.files.ask_for_quiet(Quiet(minutes=2))
        await home.seen()
        assert 100 < home.report["quiet_for_s"] <= 120
        assert home.report["sounding"]
        await home.passes(121)
        assert home.report["quiet_for_s"] is None
        home.files.ask_for_quiet(Quiet(minutes=600, reason=Reason.IN_HOSPITAL))
        await home.seen()
        assert home.report["quiet_for_s"] > 3600
        home.reads(LOW, FALL_S, device="BB")
        assert home.report["quiet_for_s"] is None
        assert [alarm["device"] for alarm in home.report["sounding"]] == ["AA", "BB"]


async def test_a_paused_alarm_is_seen_and_not_heard(home: Home) -> None:
    home.files.ask_for_quiet(Quiet(minutes=2))
    async with home.ringing():  # a pause from before is not for this alarm
        assert home.report["quiet_for_s"] is None
        await home.alone()
        home.files.ask_for_quiet(Quiet(minutes=2))
        await home.seen()
        home.reads(LOW, 1, acquisition=Acquisition.SPOT)  # asks for a second measurement
        for brightness in ("0", "1", "0"):
            await eventually(lambda brightness=brightness: home.led.read_text() == brightness)  # type: ignore[misc]
        assert (home.lines(), home.report["quiet_for_s"] > 0) == ([], True)


async def test_one_low_measurement_asks_for_another_and_silence_rings(home: Home) -> None:
    async with home.ringing():
        await home.alone()
        home.reads(LOW, 1, acquisition=Acquisition.SPOT)
        await eventually(lambda: home.lines() == ["measure_again"])
        assert home.report["sounded_total"] == 0
        await home.passes(121)
        await eventually(lambda: home.lines() == ["measure_again", "danger"])
        assert home.report["sounding"][0]["why"] == "low_without_repeat"


async def test_what_rang_before_a_kill_rings_after_it_though_the_finger_is_out(home: Home) -> None:
    async with home.ringing():
        await home.alone()
        home.reads(LOW, FALL_S)
        since = home.report["sounding"][0]["since"]
        await eventually(lambda: bool(home.files.read().sounding))
    home.machine.clinical_s += 30
    async with home.ringing():
        await eventually(lambda: home.lines()[1:] == ["danger"])
        (alarm,) = home.report["sounding"]
        assert (alarm["since"], home.report["sounded_total"]) == (since, 1)
        home.reads(None, 300, quality=Quality.INVALID)
        assert home.report["sounding"]
        home.reads(WELL, 622)
        assert home.report["sounding"] == []


async def test_a_centre_out_of_reach_is_a_steady_light(home: Home) -> None:
    async with home.ringing():
        await home.alone()
        await eventually(lambda: home.led.read_text() == "1")
        await home.says(replace(THERE, stored=1))
        await eventually(lambda: home.led.read_text() == "0")
        assert home.bell.centre.is_reachable


async def test_no_news_from_a_full_disk_is_not_the_centres_absence(home: Home) -> None:
    async with home.ringing():
        await home.says(OutboxFull("database or disk is full"))
        await home.passes(600)
        assert home.bell.centre.is_reachable
        home.reads(LOW, FALL_S)
        await home.says(GONE)
        await home.passes(180)
        await eventually(lambda: home.lines() == ["danger"])


async def test_a_disk_that_hangs_arms_the_alarm_and_the_house_is_woken(home: Home) -> None:
    async with home.ringing():
        home.disk.clear()  # the last known facts: a broker, and nothing waits
        home.machine.clinical_s += 170
        await eventually(lambda: home.bell._seeing.is_late)
        assert home.report["armed"] is False
        home.machine.clinical_s += 180
        await eventually(lambda: home.report["armed"] is True)
        home.reads(LOW, FALL_S)
        await eventually(lambda: home.lines() == ["danger"])
        home.disk.set()
        home.facts = replace(THERE, stored=1)
        await eventually(lambda: home.bell.centre.is_reachable)


async def test_files_that_hang_keep_no_house_asleep(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, hung = threading.Event(), []

    def hang(*_: object) -> None:
        hung.append(threading.current_thread())
        disk.wait()

    try:
        async with home.ringing():
            for name in ("keep", "take_quiet"):
                monkeypatch.setattr(home.files, name, hang)
            await home.alone()
            home.reads(LOW, 1, acquisition=Acquisition.SPOT)
            await home.passes(121)  # the tick goes on
            await eventually(lambda: home.lines()[-1:] == ["danger"])
            await home.passes(10)
            assert len(hung) == 2  # a thread in a hung disk can not be ended: no second one follows it
            assert home.report["failures"] == 1
    finally:
        disk.set()


async def test_a_device_that_people_take_away_rings_no_more(home: Home) -> None:
    async with home.ringing():
        await home.alone()
        home.reads(LOW, FALL_S)
        home.bell.released("AA")
        assert home.report["sounding"] == []
        assert home.report["ended"][0]["ended_by"] == "released"


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1), timedelta(days=-20_000)])
async def test_a_jump_of_the_clock_neither_rings_nor_hides(home: Home, jump: timedelta) -> None:
    async with home.ringing():
        home.reads(WELL, 30)
        home.machine.wall_off = jump
        home.reads(WELL, 30)
        await home.seen()
        assert home.bell.centre.is_reachable
        await home.alone()
        home.reads(LOW, FALL_S // 2 + 1)
        home.machine.wall_off = timedelta(0)
        home.reads(LOW, FALL_S // 2 + 1)
        assert len(home.report["sounding"]) == 1


async def test_an_account_that_can_not_be_kept_is_said_and_rings_all_the_same(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep: Callable[..., None] = home.files.keep

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    async with home.ringing():
        monkeypatch.setattr(home.files, "keep", full)
        await home.alone()
        home.reads(LOW, FALL_S)
        await eventually(lambda: home.lines() == ["danger"])
        await eventually(lambda: home.report["failures"] >= 2)
        monkeypatch.setattr(home.files, "keep", keep)
        await eventually(lambda: bool(home.files.read().sounding))


def test_an_unreadable_account_is_put_aside_and_a_new_one_begins(tmp_path: Path) -> None:
    files = AlarmFiles(tmp_path / "outbox.sqlite")
    (tmp_path / "alarms.json").write_text("{")
    assert files.read().alarms == ()
    assert (tmp_path / "alarms.json.unreadable").read_text() == "{"


def test_a_pause_is_taken_once_and_nonsense_is_thrown_away(tmp_path: Path) -> None:
    files = AlarmFiles(tmp_path / "outbox.sqlite")
    assert files.take_quiet() is None
    files.ask_for_quiet(Quiet(minutes=1))
    assert files.take_quiet() == Quiet(minutes=1)
    assert files.take_quiet() is None
    (tmp_path / "quiet.json").write_text("nonsense")
    assert files.take_quiet() is None
    assert not (tmp_path / "quiet.json").exists()


def test_a_pause_that_can_not_be_taken_away_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = AlarmFiles(tmp_path / "outbox.sqlite")
    files.ask_for_quiet(Quiet(minutes=1))

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refused)
    assert files.take_quiet() is None
