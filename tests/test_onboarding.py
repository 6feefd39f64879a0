"""From a device that nobody knows to readings of a patient, with clicks alone: every part real, nothing typed.

The gateway is the product's own process on bleak's own BlueZ backend (rig 2); broker, ingest, TimescaleDB, the console
and Chromium are real.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.async_api import Page, async_playwright, expect

from firmware_stubs.clock import ClinicalClock as StubClock
from firmware_stubs.courses import healthy
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity
from gateway.outbox.outbox import read_account
from hearthwatch.services.mosquitto import Mosquitto
from hearthwatch.services.process import tied_to_parent
from tests.dashboards import county
from tests.dashboards.conftest import CHROMIUM_ARGUMENTS, PHONE, Console
from tests.dashboards.homes import HOME, OXIMETER
from tests.gateway.waiting import eventually
from tests.ingest.service import Service, wait_until
from tests.ingest.test_configs import retained
from tests.rigs import Rig2

pytestmark = pytest.mark.timeout(400)
PATIENT = "p-003"

expect.set_options(timeout=90_000)


def environment(broker: Mosquitto, folder: Path) -> dict[str, str]:
    """Give the settings of the box, for the service and for who stands before it."""
    settings = {
        "GATEWAY_ID": HOME,
        "BROKER_HOST": "127.0.0.1",
        "BROKER_PORT": str(broker.port),
        "OUTBOX_PATH": str(folder / "outbox.sqlite"),
        "CLOCK_TRUST": "synchronised",
        "RECONNECT_S_MAX": "1",
        "FLUSH_S": "1",
    }
    return {**os.environ, **{f"HEARTHWATCH_GATEWAY_{name}": value for name, value in settings.items()}}


def seen_at_the_box(broker: Mosquitto, folder: Path) -> dict[str, Any]:
    """Run `hearthwatch gateway devices --json`."""
    command = [sys.executable, "-m", "hearthwatch", "gateway", "devices", "--json"]
    done = subprocess.run(command, env=environment(broker, folder), capture_output=True, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@contextmanager
def gateway_process(broker: Mosquitto, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `hearthwatch gateway run` with no device in its settings."""
    command = tied_to_parent((sys.executable, "-m", "hearthwatch", "gateway", "run", "--log-format", "json"))
    with (folder / "gateway.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment(broker, folder), stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def fleet_page(console: Console, chromium: Path, key: str) -> AsyncIterator[Page]:
    """Open the page of gateways and devices on a phone, signed in."""
    token, _ = console.session(key)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_ARGUMENTS))
        context = await browser.new_context(viewport=PHONE, locale="zh-CN")  # type: ignore[arg-type]
        await context.add_cookies([{"name": "hearthwatch_session", "value": token, "url": console.url}])
        page = await context.new_page()
        await page.goto(f"{console.url}/fleet")
        yield page
        await browser.close()


def enter_gateway(console: Console) -> None:
    """Enter the gateway, as the registry file does; of the device nobody knows."""
    with console.rows() as db:
        db.execute("INSERT INTO gateway VALUES (%s, 2, '青石村12号')", [HOME])
        db.execute("SELECT setval(pg_get_serial_sequence('device', 'device_id'), 1000)")
        db.execute("UPDATE registry_version SET version = version + 1")


def stored(dsn: str) -> list[tuple[Any, ...]]:
    """Count the samples of the new device, by patient."""
    with psycopg.connect(dsn) as db:
        return db.execute(
            "SELECT p.key, count(*) FROM sample s JOIN care_patient p USING (patient_id) JOIN care_device d"
            " USING (device_id) WHERE d.device_key = %s AND s.spo2 IS NOT NULL GROUP BY p.key",
            [OXIMETER],
        ).fetchall()


async def test_a_device_nobody_knows_becomes_a_patient_s_with_clicks_and_is_read_without_the_centre_too(
    database: str, own_broker: Mosquitto, rig2: Rig2, chromium: Path, tmp_path: Path
) -> None:
    county.fill(database)
    console = Console(database)
    await asyncio.to_thread(console.start)
    enter_gateway(console)
    clock = StubClock(origin=datetime.now(UTC), speed=1.0)
    identity = Identity(name="Oxi-1", address=OXIMETER, advertising_interval_ms=100.0)
    await rig2.switch_on(Oximeter(air=rig2.air, identity=identity, clock=clock, course=healthy()))
    service = Service(database, own_broker, tmp_path)

    async def at_the_box(part: str, **said: str) -> bool:
        """Whether `gateway devices` lists the device alone, and says this of it."""
        listed = (await asyncio.to_thread(seen_at_the_box, own_broker, tmp_path))[part]
        return [{**each, "address": OXIMETER, **said} for each in listed] == listed and len(listed) == 1

    try:
        await asyncio.to_thread(service.start)
        with gateway_process(own_broker, tmp_path):
            async with fleet_page(console, chromium, "li-min") as page:
                await expect(page.locator(f'[data-device="{OXIMETER}"]')).to_contain_text("Oxi-1")
                await eventually(lambda: at_the_box("nearby", name="Oxi-1"))
                await claimed_with_clicks(page)
                await asyncio.to_thread(wait_until, lambda: service.counted("configs") == 1, "the gateway is told")
                document = await asyncio.to_thread(retained, own_broker, HOME)
                assert document["devices"] == [{"address": OXIMETER, "driver": None}]
                await eventually(lambda: stored(database) and stored(database)[0][1] >= 5)
                assert {patient for patient, _ in stored(database)} == {PATIENT}
                shown = page.locator(f'[data-device="{OXIMETER}"]')
                await expect(shown).to_contain_text("孙丽华")
                await expect(shown).to_contain_text("读数")
                await expect(shown.locator(".signal")).to_be_visible()
                await eventually(lambda: at_the_box("devices", claimed_by="centre"))
        await asyncio.to_thread(own_broker.kill)
        before = read_account(tmp_path / "outbox.sqlite")[0].accepted
        with gateway_process(own_broker, tmp_path) as process:  # killed above, and nobody is there to tell it anything
            # Longer than a gateway hears a silent link: the one before may have left it such a one.
            await eventually(lambda: read_account(tmp_path / "outbox.sqlite")[0].accepted >= before + 5, bound_s=120)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait) == 0
    finally:
        await asyncio.to_thread(service.kill)
        await asyncio.to_thread(console.stop)


async def claimed_with_clicks(page: Page) -> None:
    """Claim the device that is near, choose who wears it."""
    device = page.locator(f'[data-device="{OXIMETER}"]')
    await expect(device.locator(".signal__bars")).to_be_visible()
    await device.get_by_text("认领…").click()
    await page.locator("#sheet .choice:has-text('孙丽华')").click()
    await page.locator("#sheet").get_by_role("button", name="认领").click()
    await expect(page.locator("#sheet .done")).to_contain_text("已认领")
    await page.get_by_label("关闭").click()
