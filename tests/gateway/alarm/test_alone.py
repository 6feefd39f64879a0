"""A home on its own: an oximeter on a virtual radio, the whole gateway, a real broker that goes, a real sound."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from firmware_stubs.bleak_backend import backend
from firmware_stubs.clock import ClinicalClock as StubClock
from firmware_stubs.courses import healthy, probe_off, sudden_fall
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity
from firmware_stubs.physiology import Course, State
from firmware_stubs.radio import Air
from gateway.app import run
from gateway.outbox.outbox import read_account
from hearthwatch.services.mosquitto import Mosquitto
from tests.gateway.conftest import MakeSettings
from tests.gateway.stand_in import StandIn
from tests.gateway.waiting import eventually
from vitals.clock import ClinicalClock

pytestmark = pytest.mark.long

ADDRESS = "C0:00:00:00:00:01"
SPEED = 40.0
ALONE_AFTER_S = 180
FALL_S = ALONE_AFTER_S + 60


def dip(*, begins_s: float, lasts_s: float) -> Course:
    """Build a well person with one dip to 80 %."""
    well = healthy()

    def course(seconds: float) -> State:
        state = well(seconds)
        return replace(state, spo2_percent=80.0) if begins_s <= seconds < begins_s + lasts_s else state

    return course


class House:
    """A gateway and its oximeter, with a lamp and a bell."""

    def __init__(self, folder: Path) -> None:
        self.heard = folder / "heard"
        self.led = folder / "brightness"
        self.led.write_text("0")
        self.began = datetime.now(UTC)
        self.oximeter: Oximeter
        self.outbox: Path

    def bell(self, **changes: Any) -> dict[str, Any]:
        """Settings of its local alarm."""
        command = ("/bin/sh", "-c", f'echo "$HEARTHWATCH_ALARM" >> {self.heard}')
        return {"command": command, "led": self.led, **changes}

    def sounds(self) -> list[str]:
        return self.heard.read_text().splitlines() if self.heard.exists() else []

    def second(self) -> float:
        """Say which clinical second it is."""
        return (datetime.now(UTC) - self.began).total_seconds() * SPEED

    def is_on_its_own(self) -> bool:
        """The steady light says that the centre is out of reach."""
        return self.led.read_text() == "1"

    async def read_until(self, second: float) -> None:
        """Wait until readings are accepted that a device took this long after its course began."""
        sent = self.oximeter.tally
        began = self.oximeter.course_began_at
        assert began is not None
        await eventually(lambda: (sent.sent[-1].measured_at - began).total_seconds() >= second, bound_s=60)
        count = sent.readings
        await eventually(lambda: read_account(self.outbox)[0].accepted >= count)


@asynccontextmanager
async def living(house: House, settings: Any, course: Course) -> AsyncIterator[None]:
    """Run gateway and oximeter until the end of the block."""
    air, clock = Air(), StubClock(origin=house.began, speed=SPEED)
    house.oximeter = Oximeter(air=air, identity=Identity(name="ox", address=ADDRESS), clock=clock, course=course)
    house.outbox = settings.outbox_path
    made, stop = backend(air), asyncio.Event()
    await house.oximeter.power_on()
    gateway = asyncio.create_task(
        run(
            settings,
            clock=ClinicalClock(origin=house.began, speed=SPEED),
            scanner_class=made.scanner,
            client_class=made.client,
            stop=stop,
        )
    )
    try:
        await eventually(lambda: house.oximeter.tally.readings > 0)
        yield
        assert not gateway.done()
    finally:
        stop.set()
        await gateway
        await house.oximeter.power_off()
        await made.close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_an_outage_and_a_fall_wake_the_house_until_the_centre_is_back(
    house: House, own_broker: Mosquitto, gateway_id: str, make_settings: MakeSettings
) -> None:
    settings = make_settings(own_broker, flush_s=10, heartbeat_s=20, local_alarm=house.bell())
    async with (
        StandIn("127.0.0.1", own_broker.port, gateway_id) as centre,
        living(house, settings, sudden_fall(begins_s=FALL_S)),
    ):
        await centre.until(lambda c: len(c.rows) > 10)
        assert centre.status["local_alarm"]["armed"] is False
        await centre.until(lambda c: c.status["uplink"]["centre_reachable"] is True)
        lost_s = house.second()
        await asyncio.to_thread(own_broker.kill)
        await eventually(house.is_on_its_own)
        assert house.second() - lost_s >= ALONE_AFTER_S - 30  # the last *stored* may lie a little before the loss
        await eventually(lambda: house.sounds() == ["danger"])
        await asyncio.to_thread(own_broker.start)
        await centre.until(lambda c: bool(_alarms(c, "sounding")))
        (alarm,) = _alarms(centre, "sounding")
        assert (alarm["device"], alarm["why"], alarm["value"] <= 88) == (ADDRESS, "sustained_low", True)
        await centre.until(lambda c: bool(_alarms(c, "ended")))
        assert _alarms(centre, "ended")[0]["ended_by"] == "centre"
        assert (centre.status["local_alarm"]["armed"], centre.status["local_alarm"]["sounded_total"]) == (False, 1)
        assert centre.status["uplink"]["centre_reachable"] is True
        account, _ = read_account(settings.outbox_path)
        await centre.until(lambda c: len(c.rows) >= account.accepted)  # and it has everything
    lows = [n for n, row in centre.rows.items() if row.signal_code == 1 and 0 < row.value <= 8800]
    assert len(lows) >= 40
    assert house.led.read_text() == "0"


def _alarms(centre: StandIn, which: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = centre.status.get("local_alarm", {}).get(which, [])
    return found


@pytest.mark.parametrize(
    ("course", "goes_on_s"),
    [
        (dip(begins_s=FALL_S, lasts_s=80), 240),
        (probe_off(out_at_s=FALL_S, back_at_s=FALL_S + 160), 180),
        (probe_off(out_at_s=FALL_S, back_at_s=FALL_S + 160, is_zero=True), 180),
    ],
    ids=["a dip too short", "a finger out", "a finger out that reads 0"],
)
async def test_on_its_own_this_wakes_nobody(
    house: House, own_broker: Mosquitto, make_settings: MakeSettings, course: Course, goes_on_s: float
) -> None:
    settings = make_settings(own_broker, local_alarm=house.bell())
    await asyncio.to_thread(own_broker.kill)
    async with living(house, settings, course):
        await eventually(house.is_on_its_own)
        await house.read_until(FALL_S + goes_on_s)
        assert house.sounds() == []


async def test_always_wakes_the_house_with_the_centre_there(
    house: House, broker: Mosquitto, gateway_id: str, make_settings: MakeSettings
) -> None:
    settings = make_settings(broker, heartbeat_s=20, local_alarm=house.bell(when="always"))
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id) as centre,
        living(house, settings, sudden_fall(begins_s=30)),
    ):
        await eventually(lambda: house.sounds() == ["danger"])
        await centre.until(lambda c: bool(_alarms(c, "sounding")))
        await centre.until(lambda c: c.status["uplink"]["centre_reachable"] is True)
        assert centre.status["local_alarm"]["when"] == "always"


async def test_with_the_centre_there_a_fall_is_the_centres(
    house: House, broker: Mosquitto, gateway_id: str, make_settings: MakeSettings
) -> None:
    settings = make_settings(broker, heartbeat_s=20, local_alarm=house.bell())
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id) as centre,
        living(house, settings, sudden_fall(begins_s=30)),
    ):
        await house.read_until(300)
        beats = len(centre.statuses)
        await centre.until(lambda c: len(c.statuses) > beats)
        assert (house.sounds(), _alarms(centre, "sounding")) == ([], [])
        assert any(centre.urgent)
