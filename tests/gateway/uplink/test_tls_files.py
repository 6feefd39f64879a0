"""Files of TLS that are missing, wrong or renewed while nobody restarts the gateway: real brokers, a site's PKI."""

import asyncio
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from firmware_stubs.courses import sudden_fall
from gateway.outbox.outbox import read_account
from gateway.settings import GatewaySettings, load_settings
from gateway.uplink.tls import certificate_expiry
from tests.gateway.alarm.test_alone import ALONE_AFTER_S, House, living
from tests.gateway.uplink.test_uplink import address_of, linked
from tests.gateway.waiting import eventually
from tests.hearthwatch.site_rig import INGEST, Guest, Site, hearthwatch, identity_of
from vitals.topics import ROOT

# Paho leaves the socket of a TLS handshake that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed <ssl:ResourceWarning", "ignore:Exception ignored in.*ssl:pytest.PytestUnraisableExceptionWarning"
)

Spoil = Callable[[Path], None]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site's broker: nobody without a certificate."""
    running = Site(tmp_path_factory.mktemp("boxes"))
    yield running
    running.close()


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200])


def renew(site: Site, box: Path) -> None:
    """Make the box's key and request anew, carry it to the site and the bundle back, as a technician does."""
    (box / "gateway.key").unlink()
    hearthwatch("gateway", "enrol", "--gateway-id", box.name, "--folder", str(box))
    hearthwatch("site", "enrol", "--site", str(site.folder), str(box / f"{box.name}.csr"), "--again")
    bundle = box / f"{box.name}.bundle.toml"
    hearthwatch("gateway", "enrol", "--install", str(bundle), "--folder", str(box), "--state", str(box / "state"))


@pytest.mark.parametrize(
    ("number", "file", "spoil", "named", "why"),
    [
        (1, "site-ca.pem", Path.unlink, "broker_ca_file", "No such file or directory"),
        (2, "site-ca.pem", cut_short, "broker_ca_file", "damaged, or not PEM"),
        (3, "gateway.pem", Path.unlink, "broker_certificate_file", "No such file or directory"),
        (4, "gateway.pem", cut_short, "broker_certificate_file", "damaged, or not PEM"),
        (5, "gateway.key", Path.unlink, "broker_key_file", "No such file or directory"),
        (6, "gateway.key", cut_short, "broker_key_file", "damaged, or not PEM, or encrypted"),
    ],
)
async def test_a_file_that_is_mended_brings_the_link_up(
    site: Site, number: int, file: str, spoil: Spoil, named: str, why: str
) -> None:
    name = f"gw-mended-{number}"
    box = await asyncio.to_thread(site.enrol, name)
    sound = (box / file).read_bytes()
    spoil(box / file)
    with capture_logs() as logs:
        async with linked(address_of(site.port, name, identity_of(box))) as uplink:
            await eventually(lambda: uplink.failed >= 2)
            assert uplink.trouble == f"{named} {box / file}: {why}"
            assert uplink.crashes == 0
            (line,) = [each for each in logs if each["log_level"] == "error"]
            assert line["why"] == uplink.trouble
            (box / file).write_bytes(sound)
            await eventually(lambda: uplink.connected)
            assert (uplink.trouble, uplink.failed) == (None, 0)
            assert uplink.certificate_end == certificate_expiry(box / "gateway.pem")


async def test_the_key_of_another_box_is_named_with_its_certificate(site: Site) -> None:
    box, other = [await asyncio.to_thread(site.enrol, name) for name in ("gw-mixed", "gw-other")]
    mixed = replace(identity_of(box), key=other / "gateway.key")
    async with linked(address_of(site.port, "gw-mixed", mixed)) as uplink:
        await eventually(lambda: uplink.trouble is not None)
        assert uplink.trouble == (
            f"broker_certificate_file {box}/gateway.pem and broker_key_file {other}/gateway.key: "
            "the certificate belongs to another key"
        )


async def test_a_renewed_certificate_is_shown_at_the_next_connection(site: Site) -> None:
    box = await asyncio.to_thread(site.enrol, "gw-renewed")
    async with linked(address_of(site.port, "gw-renewed", identity_of(box))) as uplink:
        await eventually(lambda: uplink.connected)
        await asyncio.to_thread(site.revoke, "gw-renewed")
        await eventually(lambda: uplink.failed >= 2)
        assert uplink.trouble
        await asyncio.to_thread(renew, site, box)
        await eventually(lambda: uplink.connected and uplink.connects == 2)


async def test_an_authority_that_is_trusted_no_more_is_not_remembered(site: Site, tmp_path: Path) -> None:
    box = await asyncio.to_thread(site.enrol, "gw-distrusts")
    async with linked(address_of(site.port, "gw-distrusts", identity_of(box))) as uplink:
        await eventually(lambda: uplink.connected)
        hearthwatch("site", "init", str(tmp_path / "other"), "--broker-host", "127.0.0.1")
        shutil.copy(tmp_path / "other" / "broker" / "ca.pem", box / "site-ca.pem")
        await asyncio.to_thread(site.broker.restart)
        await eventually(lambda: uplink.failed >= 2)
        assert "CERTIFICATE_VERIFY_FAILED" in str(uplink.trouble)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_a_home_without_its_certificate_is_read_and_alarmed_and_heard_once_it_is_there(
    site: Site, house: House
) -> None:
    box = await asyncio.to_thread(site.enrol, "gw-home")
    certificate = (box / "gateway.pem").read_bytes()
    (box / "gateway.pem").unlink()
    changes: dict[str, Any] = {
        "claim_all": True,
        "reconnect_s_max": 1,
        "clock_trust": "synchronised",
        "local_alarm": house.bell(),
        "heartbeat_s": 20,
    }
    settings = GatewaySettings(**{**load_settings(box / "gateway.toml").model_dump(exclude_unset=True), **changes})
    with Guest(site, site.ingest, INGEST) as ingest:
        ingest.subscribe(f"{ROOT}/gw-home/readings", f"{ROOT}/gw-home/status")
        async with living(house, settings, sudden_fall(begins_s=ALONE_AFTER_S + 60)):
            await eventually(lambda: house.sounds() == ["danger"])
            assert read_account(settings.outbox_path)[0].depth > 0
            status = settings.outbox_path.parent / "status.json"
            await eventually(lambda: json.loads(status.read_bytes())["uplink"]["centre_reachable"] is False)
            told = json.loads(status.read_bytes())
            assert told["uplink"]["trouble"] == f"broker_certificate_file {box}/gateway.pem: No such file or directory"
            assert told["certificate"] is None
            assert ingest.heard == []
            (box / "gateway.pem").write_bytes(certificate)
            await eventually(lambda: any(name.endswith("/readings") for name, _ in ingest.heard))
            await eventually(lambda: any(_is_mended(payload) for _, payload in ingest.heard))


def _is_mended(payload: bytes) -> bool:
    if not payload.startswith(b"{"):
        return False
    status = json.loads(payload)
    return status["state"] == "online" and status["uplink"]["trouble"] is None and bool(status["certificate"])
