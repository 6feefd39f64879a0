"""A site's broker with the files of deploy/mosquitto: who is let in, who may write and read what, who is shut out."""

import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.clocks.placing import Stamped
from gateway.outbox.outbox import Outbox, read_account
from hearthwatch.doctor.broker import broker_settings
from hearthwatch.services.ports import LOOPBACK
from tests.hearthwatch.site_rig import INGEST, Guest, Identity, Site, hearthwatch, identity_of
from tests.ingest.county import OXIMETER, REGISTRY, connect, rows_of
from tests.ingest.service import Service, wait_until
from vitals.finding import Verdict
from vitals.reading import Reading
from vitals.signals import Signal
from vitals.topics import ROOT

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with its broker; use gateway ids of your own."""
    running = Site(tmp_path_factory.mktemp("boxes"))
    yield running
    running.close()


@pytest.mark.parametrize(
    ("leaf", "options"), [("readings", {}), ("readings/json", {}), ("status", {"retain": True})], ids=str
)
def test_a_gateway_writes_its_own_topics_and_ingest_hears_them(site: Site, leaf: str, options: dict[str, bool]) -> None:
    own = f"gw-own-{leaf.replace('/', '-')}"
    with Guest(site, site.ingest, INGEST) as ingest, Guest(site, identity_of(site.enrol(own)), own) as gateway:
        ingest.subscribe(f"{ROOT}/+/{leaf}")
        assert gateway.publish(f"{ROOT}/{own}/{leaf}", b"97", **options) == "Success"
        wait_until(lambda: (f"{ROOT}/{own}/{leaf}", b"97") in ingest.heard, "ingest hears it")


@pytest.mark.parametrize(
    "topic", ["gw-other/readings", "gw-other/status", "gw-foreign/ack", "gw-foreign/config", "gw-foreign/readings/more"]
)
def test_a_foreign_topic_is_refused_by_name(site: Site, topic: str) -> None:
    box = _enrolled_once(site, "gw-foreign")
    with Guest(site, site.ingest, INGEST) as ingest, Guest(site, identity_of(box), "gw-foreign") as gateway:
        ingest.subscribe(f"{ROOT}/+/readings", f"{ROOT}/+/status")
        assert gateway.publish(f"{ROOT}/{topic}", b"spoofed") == "Not authorized"
        with Guest(site, identity_of(_enrolled_once(site, "gw-honest")), "gw-honest") as honest:
            honest.publish(f"{ROOT}/gw-honest/readings", b"after")
        wait_until(lambda: (f"{ROOT}/gw-honest/readings", b"after") in ingest.heard, "what came after it")
        assert b"spoofed" not in [payload for _, payload in ingest.heard]


def test_a_gateway_hears_its_own_acknowledgements_and_nobody_elses(site: Site) -> None:
    box = _enrolled_once(site, "gw-nosy")
    with Guest(site, site.ingest, INGEST) as ingest, Guest(site, identity_of(box), "gw-nosy") as nosy:
        nosy.subscribe("#", f"{ROOT}/+/ack", f"{ROOT}/gw-quiet/ack", f"{ROOT}/gw-quiet/config", f"{ROOT}/+/readings")
        for leaf in ("ack", "config"):
            assert ingest.publish(f"{ROOT}/gw-quiet/{leaf}", b"secret") in ("Success", "No matching subscribers")
        for leaf in ("ack", "config"):
            assert ingest.publish(f"{ROOT}/gw-nosy/{leaf}", b"for you") == "Success"
        own = [(f"{ROOT}/gw-nosy/{leaf}", b"for you") for leaf in ("ack", "config")]
        wait_until(lambda: set(own) <= set(nosy.heard), "what is meant for it")
        assert set(nosy.heard) == set(own)


def test_ingest_writes_no_readings(site: Site) -> None:
    with Guest(site, site.ingest, INGEST) as ingest:
        assert ingest.publish(f"{ROOT}/gw-1/readings", b"97") == "Not authorized"


def test_without_a_certificate_nobody_is_let_in(site: Site) -> None:
    with Guest(site, Identity(ca=site.folder / "ca.pem", certificate=None, key=None), "gw-1") as nobody:
        assert not nobody.is_let_in()


def test_the_certificate_of_another_site_is_not_let_in(site: Site, tmp_path: Path) -> None:
    other = tmp_path / "other-site"
    hearthwatch("site", "init", str(other), "--broker-host", LOOPBACK)
    hearthwatch("gateway", "enrol", "--gateway-id", "gw-1", "--folder", str(tmp_path))
    hearthwatch("site", "enrol", "--site", str(other), str(tmp_path / "gw-1.csr"))
    bundle = str(tmp_path / "gw-1.bundle.toml")
    hearthwatch("gateway", "enrol", "--install", bundle, "--folder", str(tmp_path), "--state", str(tmp_path))
    stranger = replace(identity_of(tmp_path), ca=site.folder / "ca.pem")
    with Guest(site, stranger, "gw-1") as guest:
        assert not guest.is_let_in()


def test_a_gateway_can_not_pose_as_the_broker(site: Site) -> None:
    box = identity_of(_enrolled_once(site, "gw-pose"))
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=box.ca)
    assert box.certificate is not None
    server.load_cert_chain(box.certificate, box.key)
    client.check_hostname = False  # its purpose alone must be enough
    with pytest.raises(ssl.SSLCertVerificationError, match=r"purpose|usage"):
        _shake_hands(server, client)


def test_another_client_id_takes_over_nobody(site: Site) -> None:
    """A copied certificate is its own gateway whatever it calls itself: the one it means to take over stays."""
    victim_box, thief_box = _enrolled_once(site, "gw-victim"), _enrolled_once(site, "gw-thief")
    with Guest(site, identity_of(victim_box), "gw-victim") as victim:
        victim.subscribe(f"{ROOT}/gw-victim/ack")
        with Guest(site, identity_of(thief_box), "gw-victim") as thief, Guest(site, site.ingest, INGEST) as ingest:
            assert thief.is_let_in()
            assert ingest.publish(f"{ROOT}/gw-victim/ack", b"row 1") == "Success"
            wait_until(lambda: victim.heard == [(f"{ROOT}/gw-victim/ack", b"row 1")], "the victim is still served")
            assert (victim.ends, thief.heard) == ([], [])
            assert thief.publish(f"{ROOT}/gw-victim/readings") == "Not authorized"


def test_a_revoked_gateway_is_shut_out_and_the_others_are_not(site: Site) -> None:
    stolen, kept = _enrolled_once(site, "gw-stolen"), _enrolled_once(site, "gw-kept")
    with Guest(site, identity_of(stolen), "gw-stolen") as guest:
        assert guest.is_let_in()
    site.revoke("gw-stolen")
    with Guest(site, identity_of(stolen), "gw-stolen") as guest:
        assert not guest.is_let_in()
    with Guest(site, identity_of(kept), "gw-kept") as guest:
        assert guest.is_let_in()


def test_a_replaced_box_shuts_out_the_one_before(site: Site) -> None:
    old = site.enrol("gw-replaced")
    old.rename(old.with_name("gw-replaced-old"))
    new = site.enrol("gw-replaced", "--again")
    site.hand_over()
    site.broker.restart()
    with Guest(site, identity_of(old.with_name("gw-replaced-old")), "gw-replaced") as guest:
        assert not guest.is_let_in()
    with Guest(site, identity_of(new), "gw-replaced") as guest:
        assert guest.is_let_in()


def test_the_biggest_message_of_the_wire_format_goes_through(site: Site) -> None:
    box = _enrolled_once(site, "gw-big")
    with Guest(site, identity_of(box), "gw-big") as gateway:
        assert gateway.publish(f"{ROOT}/gw-big/readings", bytes(256 * 1024)) in ("Success", "No matching subscribers")


def test_the_doctor_finds_nothing_in_these_files(site: Site) -> None:
    findings = broker_settings(site.broker.directory / "mosquitto.conf")
    assert [(each.verdict, each.found.en) for each in findings] == [
        (Verdict.FINE, "nothing that loses messages silently")
    ]


def test_the_doctor_of_a_server_meets_the_broker_as_ingest_and_cuts_nobody_off(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEARTHWATCH_BROKER_PORT", str(site.port))
    monkeypatch.setenv("HEARTHWATCH_INGEST_BROKER_CA_FILE", str(site.ingest.ca))
    with Guest(site, site.ingest, INGEST) as ingest:
        assert _doctor_of_the_broker()["verdict"] == "broken"  # without a certificate
        monkeypatch.setenv("HEARTHWATCH_INGEST_BROKER_CERTIFICATE_FILE", str(site.ingest.certificate))
        monkeypatch.setenv("HEARTHWATCH_INGEST_BROKER_KEY_FILE", str(site.ingest.key))
        assert _doctor_of_the_broker()["verdict"] == "fine"
        assert ingest.ends == []
    monkeypatch.setenv("HEARTHWATCH_INGEST_BROKER_KEY_FILE", "/nowhere/ingest.key")
    assert "/nowhere/ingest.key" in _doctor_of_the_broker()["found"]


def test_the_doctor_of_a_gateway_meets_the_broker_as_that_gateway(site: Site) -> None:
    box = _enrolled_once(site, "gw-doctor")
    finding = _doctor_of_the_broker("--config", str(box / "gateway.toml"), role="gateway")
    assert (finding["verdict"], "takes our certificate" in str(finding["found"])) == ("fine", True)


def _doctor_of_the_broker(*arguments: str, role: str = "server") -> dict[str, str]:
    command = [sys.executable, "-m", "hearthwatch", "doctor", "--json", "--lang", "en", "--role", role, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found: list[dict[str, str]] = json.loads(done.stdout)
    return next(each for each in found if each["check"] == "broker")


def test_a_gateways_readings_are_stored_over_tls_by_the_real_processes(
    site: Site, database: str, tmp_path: Path
) -> None:
    box = site.enrol("gw-1")
    with connect(database) as county:
        county.execute(REGISTRY)
    outbox = Outbox(box / "state" / "outbox.sqlite", bytes_max=1 << 20, undecoded_max=1)
    outbox.accept([_reading(value) for value in (9700, 9600, 9500)])
    outbox.close()
    files = {
        "broker_ca_file": str(site.ingest.ca),
        "broker_certificate_file": str(site.ingest.certificate),
        "broker_key_file": str(site.ingest.key),
    }
    with (
        Service(database, site.broker, tmp_path, **files),
        _running(box / "gateway.toml", tmp_path / "gateway.log") as gateway,
        connect(database) as county,
    ):
        wait_until(lambda: read_account(box / "state" / "outbox.sqlite")[0].stored == 3, "the gateway has its receipt")
        assert sorted(rows_of(county, "SELECT spo2 FROM sample")) == [(9500,), (9600,), (9700,)]
        assert rows_of(county, "SELECT gateway_id FROM outbox_owner") == [("gw-1",)]
        gateway.terminate()
        assert gateway.wait(20) == 0
        standing = "SELECT accepted, taken, on_the_way, lost FROM outbox_standing"
        wait_until(lambda: rows_of(county, "SELECT accepted FROM outbox_word") == [(3,)], "its word is here")
        assert rows_of(county, standing) == [(3, 3, 0, 0)], "it was of three waiting ones, and they are here"


@contextmanager
def _running(config: Path, log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Run `hearthwatch gateway run` as its unit does, without any Bluetooth."""
    command = [sys.executable, "-m", "hearthwatch", "gateway", "run", "--config", str(config)]
    environment = {"PATH": os.environ["PATH"], "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus"}
    with log.open("wb") as said, subprocess.Popen(command, env=environment, cwd=REPOSITORY, stderr=said) as process:
        try:
            yield process
        finally:
            process.kill()


def _enrolled_once(site: Site, gateway_id: str) -> Path:
    box = site.boxes / gateway_id
    return box if (box / "gateway.pem").exists() else site.enrol(gateway_id)


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=LOOPBACK),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


def _reading(value: int) -> Stamped:
    at = datetime.now(UTC) - timedelta(milliseconds=value)
    return Stamped(
        reading=Reading(device=OXIMETER, signal=Signal.SPO2, measured_at=at, value=value),
        mono_ms=value,
        boot_id=1,
        synchronised=True,
    )
