"""The whole gateway: devices on a virtual radio, a real broker, a stand-in for ingest."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from firmware_stubs.bleak_backend import backend
from firmware_stubs.clock import ClinicalClock as StubClock
from firmware_stubs.courses import fever, healthy
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity
from firmware_stubs.radio import Air
from firmware_stubs.thermometer import History, Thermometer
from gateway.app import built, live, run
from gateway.outbox.outbox import Outbox, read_account
from gateway.plans import radios_of
from hearthwatch.services.mosquitto import Mosquitto
from tests.gateway.conftest import MakeSettings
from tests.gateway.stand_in import StandIn
from tests.gateway.waiting import eventually
from vitals.clock import ClinicalClock
from vitals.reading import Acquisition
from vitals.signals import SIGNALS, Signal


async def test_what_devices_say_reaches_ingest_and_is_forgotten_only_then(
    broker: Mosquitto, gateway_id: str, make_settings: MakeSettings
) -> None:
    origin, speed = datetime.now(UTC), 20.0
    zone = ZoneInfo("Asia/Shanghai")
    air, stub_clock = Air(), StubClock(origin=origin, speed=speed)
    oximeter = Oximeter(
        air=air, identity=Identity(name="ox", address="C0:00:00:00:00:01"), clock=stub_clock, course=healthy()
    )
    thermometer = Thermometer(
        air=air,
        identity=Identity(name="th", address="C0:00:00:00:00:02"),
        clock=stub_clock,
        course=fever(),
        zone=zone,
        history=History(first_ago=timedelta(hours=80), every=timedelta(hours=4)),
    )
    made = backend(air)
    scanner_class, client_class = made
    settings, stop = make_settings(broker, flush_s=10), asyncio.Event()
    async with StandIn("127.0.0.1", broker.port, gateway_id) as ingest:
        await oximeter.power_on()
        await thermometer.power_on()
        gateway = asyncio.create_task(
            run(
                settings,
                clock=ClinicalClock(origin=origin, speed=speed),
                scanner_class=scanner_class,
                client_class=client_class,
                stop=stop,
            )
        )
        await ingest.until(lambda i: len(_of(i, Signal.SPO2)) >= 40 and len(_of(i, Signal.TEMPERATURE)) >= 20)
        stop.set()
        await gateway
        await ingest.until(lambda i: i.status == {"state": "offline"})
        account, _ = read_account(settings.outbox_path)
        assert account.depth == 0
        assert account.accepted == account.stored == len(ingest.rows)
        assert sorted(ingest.rows) == list(range(1, account.accepted + 1))
    await oximeter.power_off()
    await thermometer.power_off()
    await made.close()
    sent = {round(reading.value, 1) for reading in thermometer.tally.sent}
    assert {ingest.rows[number].value / 100 for number in _of(ingest, Signal.TEMPERATURE)} <= sent
    stored = [n for n in _of(ingest, Signal.TEMPERATURE) if _acquisition(ingest, n) == Acquisition.STORED]
    assert [ingest.times_ms[n] for n in stored] == sorted(
        round(r.measured_at.timestamp() * 1000) for r in list(thermometer.tally.sent)[: len(stored)]
    )
    assert len(stored) == 20
    online = next(status for status in ingest.statuses if status["state"] == "online")
    assert online["clock"]["synchronised"] is True
    assert online["versions"]["bleak"]


def _of(ingest: StandIn, signal: Signal) -> list[int]:
    return [number for number, row in ingest.rows.items() if row.signal_code == SIGNALS[signal].code]


def _acquisition(ingest: StandIn, number: int) -> int:
    return ingest.headers[number].devices[ingest.rows[number].device_index].acquisition


async def test_what_no_decoder_understands_is_kept_counted_and_told(
    broker: Mosquitto, gateway_id: str, make_settings: MakeSettings
) -> None:
    origin, air = datetime.now(UTC), Air()
    oximeter = Oximeter(
        air=air,
        identity=Identity(name="ox", address="C0:00:00:00:00:01"),
        clock=StubClock(origin=origin, speed=20.0),
        course=healthy(),
    )
    made, stop = backend(air), asyncio.Event()
    settings = make_settings(broker, heartbeat_s=5)
    async with StandIn("127.0.0.1", broker.port, gateway_id) as ingest:
        await oximeter.power_on()
        clock = ClinicalClock(origin=origin, speed=20.0)
        gateway = asyncio.create_task(
            run(settings, clock=clock, scanner_class=made.scanner, client_class=made.client, stop=stop)
        )
        await ingest.until(lambda i: len(_of(i, Signal.SPO2)) >= 3)
        await oximeter.notify(oximeter.continuous, bytes.fromhex("0061"))
        await ingest.until(lambda i: i.status.get("undecoded") == 1)
        assert ingest.status["heartbeat_s"] == 5
        (device,) = ingest.status["devices"]
        assert (device["address"], device["connected"]) == ("C0:00:00:00:00:01", True)
        assert device["last_reading_age_s"] < 60
        before = len(_of(ingest, Signal.SPO2))
        await ingest.until(lambda i: len(_of(i, Signal.SPO2)) > before)
        stop.set()
        await gateway
    await oximeter.power_off()
    await made.close()
    account, (note,) = read_account(settings.outbox_path)
    assert (account.undecoded, note.device, note.characteristic) == (1, "C0:00:00:00:00:01", "2a5f")
    assert (note.payload, note.error) == (b"\x00\x61", "2a5f byte 2: SpO2 needs 2 bytes, 1 left")


async def with_a_bug() -> bytes:
    raise RuntimeError("nobody thought of this")


async def without_end() -> bytes:
    await asyncio.Event().wait()
    return b""


@pytest.mark.parametrize("last_facts", [with_a_bug, without_end])
@pytest.mark.parametrize("last_rows", [with_a_bug, without_end])
async def test_a_bug_in_the_last_words_neither_hangs_nor_hides_that_the_gateway_has_stopped(
    broker: Mosquitto,
    gateway_id: str,
    make_settings: MakeSettings,
    monkeypatch: pytest.MonkeyPatch,
    last_facts: Callable[[], Coroutine[Any, Any, bytes]],
    last_rows: Callable[[], Coroutine[Any, Any, bytes]],
) -> None:
    settings, stop, made = make_settings(broker), asyncio.Event(), backend("unix:/nonexistent/radio")
    status = settings.outbox_path.with_name("status.json")
    async with (
        StandIn("127.0.0.1", broker.port, gateway_id) as ingest,
        built(
            settings,
            clock=ClinicalClock(),
            machine=None,
            radios=radios_of(settings, made.scanner, made.client),
        ) as gateway,
    ):
        living = asyncio.create_task(live(gateway, stop))
        await ingest.until(lambda i: i.status.get("state") == "online")
        await eventually(status.exists)
        monkeypatch.setattr(gateway.heartbeat, "payload", last_facts)
        monkeypatch.setattr(gateway.courier, "flush", last_rows)
        stop.set()
        await living
        await ingest.until(lambda i: i.status == {"state": "offline"})
    assert json.loads(status.read_bytes()) == {"state": "offline"}


async def test_without_broker_and_radio_it_waits_and_ends_cleanly_when_cancelled(
    own_broker: Mosquitto, make_settings: MakeSettings
) -> None:
    await asyncio.to_thread(own_broker.kill)
    made = backend("unix:/nonexistent/radio")
    settings = make_settings(own_broker)
    gateway = asyncio.create_task(
        run(settings, clock=ClinicalClock(), scanner_class=made.scanner, client_class=made.client)
    )
    await eventually(lambda: settings.outbox_path.exists())
    gateway.cancel()
    await asyncio.gather(gateway, return_exceptions=True)
    assert gateway.cancelled()
    Outbox(settings.outbox_path, bytes_max=1 << 20, undecoded_max=1).close()
