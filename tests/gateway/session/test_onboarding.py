"""A gateway that knows no device: it says who is near, is told what to read, and reads it without the centre too."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from firmware_stubs.clock import ClinicalClock as StubClock
from firmware_stubs.courses import healthy
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity
from gateway.app import run
from gateway.claims.book import ClaimBook, book_path
from gateway.claims.claims import with_claim, without_claim
from gateway.outbox.outbox import read_account
from gateway.settings import GatewaySettings
from hearthwatch.services.mosquitto import Mosquitto
from tests.gateway.claims.test_over_mqtt import config, say
from tests.gateway.conftest import MakeSettings
from tests.gateway.stand_in import StandIn
from tests.gateway.waiting import eventually
from tests.rigs import Rig1
from vitals.clock import ClinicalClock

ADDRESS, OTHER = "C0:00:00:00:00:01", "C0:00:00:00:00:02"
HOUR_S = 3600.0


@pytest.fixture
def origin() -> datetime:
    return datetime.now(UTC)


def oximeter(rig1: Rig1, origin: datetime, address: str = ADDRESS, name: str = "Oxi-1") -> Oximeter:
    clock = StubClock(origin=origin, speed=20.0)
    return Oximeter(air=rig1.air, identity=Identity(name=name, address=address), clock=clock, course=healthy())


@asynccontextmanager
async def at_work(rig1: Rig1, settings: GatewaySettings, origin: datetime) -> AsyncIterator[None]:
    """Run a gateway until the end of the block."""
    stop = asyncio.Event()
    task = asyncio.create_task(
        run(
            settings,
            clock=ClinicalClock(origin=origin, speed=20.0),
            scanner_class=rig1.backend.scanner,
            client_class=rig1.backend.client,
            stop=stop,
        )
    )
    try:
        yield
        assert not task.done()
    finally:
        stop.set()
        await task


def near(centre: StandIn) -> list[str]:
    return [each["address"] for each in centre.status.get("nearby", [])]


def reading(centre: StandIn) -> dict[str, Any]:
    return {each["address"]: each for each in centre.status.get("devices", [])}


async def test_who_is_near_is_told_within_seconds_then_claimed_and_read_and_still_read_without_the_centre(
    own_broker: Mosquitto, gateway_id: str, make_settings: MakeSettings, rig1: Rig1, origin: datetime
) -> None:
    # A heartbeat an hour: whatever is told in between is told because something has happened.
    settings = make_settings(own_broker, claim_all=False, heartbeat_s=20 * HOUR_S)
    async with StandIn("127.0.0.1", own_broker.port, gateway_id) as centre:
        async with at_work(rig1, settings, origin):
            await centre.until(lambda c: c.status.get("state") == "online")
            await rig1.switch_on(oximeter(rig1, origin))
            await centre.until(lambda c: near(c) == [ADDRESS])
            [each] = centre.status["nearby"]
            assert (each["name"], each["driver"], each["kind"]) == ("Oxi-1", "bluetooth_sig", "oximeter")
            assert (each["streams"], each["wellness"]) == (True, False)
            assert (each["rssi"] < 0, each["age_s"] < 60) == (True, True)
            assert (centre.rows, reading(centre)) == ({}, {})
            await say(own_broker, gateway_id, config(ADDRESS))
            await centre.until(lambda c: ADDRESS in reading(c) and near(c) == [])
            assert reading(centre)[ADDRESS]["claimed_by"] == "centre"
            assert centre.status["config"]["devices"] == 1
            assert centre.status["config"]["issued_at"] == "2026-03-01T11:00:00+00:00"
            await centre.until(lambda c: len(c.rows) > 20)
        await centre.until(lambda c: c.status == {"state": "offline"})
    await asyncio.to_thread(own_broker.kill)
    accepted = read_account(settings.outbox_path)[0].accepted
    async with at_work(rig1, settings, origin):
        await eventually(lambda: read_account(settings.outbox_path)[0].accepted > accepted + 20)


async def test_a_release_ends_the_reading_and_the_device_is_near_again(
    broker: Mosquitto, gateway_id: str, make_settings: MakeSettings, rig1: Rig1, origin: datetime
) -> None:
    settings = make_settings(broker, claim_all=False, heartbeat_s=20 * HOUR_S)
    await rig1.switch_on(oximeter(rig1, origin))
    await say(broker, gateway_id, config(ADDRESS))
    async with StandIn("127.0.0.1", broker.port, gateway_id) as centre, at_work(rig1, settings, origin):
        await centre.until(lambda c: len(c.rows) > 10)
        await say(broker, gateway_id, json.dumps({"issued_at": "2026-03-01T12:00:00+00:00", "devices": []}))
        await centre.until(lambda c: c.status.get("devices") == [])
        await centre.until(lambda c: near(c) == [ADDRESS])


async def test_a_technician_claims_beside_the_centre_while_the_gateway_runs(
    broker: Mosquitto, gateway_id: str, make_settings: MakeSettings, rig1: Rig1, origin: datetime
) -> None:
    settings = make_settings(broker, claim_all=False, heartbeat_s=20 * HOUR_S)
    book = ClaimBook(book_path(settings.outbox_path))
    for address in (ADDRESS, OTHER):
        await rig1.switch_on(oximeter(rig1, origin, address))
    async with StandIn("127.0.0.1", broker.port, gateway_id) as centre, at_work(rig1, settings, origin):
        await say(broker, gateway_id, config(ADDRESS))
        await centre.until(lambda c: set(reading(c)) == {ADDRESS})
        await asyncio.to_thread(book.change, lambda claims: with_claim(claims, OTHER, None))
        await centre.until(lambda c: set(reading(c)) == {ADDRESS, OTHER})
        assert [reading(centre)[a]["claimed_by"] for a in (ADDRESS, OTHER)] == ["centre", "technician"]
        await asyncio.to_thread(book.change, lambda claims: without_claim(claims, OTHER))
        await centre.until(lambda c: set(reading(c)) == {ADDRESS})


async def test_the_last_status_lies_in_a_file_for_who_stands_at_the_box(
    broker: Mosquitto, make_settings: MakeSettings, rig1: Rig1, origin: datetime, gateway_id: str
) -> None:
    settings = make_settings(broker, claim_all=False)
    await rig1.switch_on(oximeter(rig1, origin))
    path = settings.outbox_path.with_name("status.json")

    def nearby() -> list[str]:
        return [each["address"] for each in json.loads(path.read_bytes())["nearby"]] if path.exists() else []

    await say(broker, gateway_id, config(OTHER))  # so that something changes, and the file is written at once
    async with at_work(rig1, settings, origin):
        await eventually(lambda: nearby() == [ADDRESS])
