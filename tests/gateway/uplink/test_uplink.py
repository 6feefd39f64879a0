"""The uplink against real brokers: certificates, a broker that says nothing, one that hangs, a line that is thin."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.report.status import OFFLINE
from gateway.uplink.throttle import ANSWER_S_MAX, ROWS_MIN, UNANSWERED_MAX, Throttle
from gateway.uplink.uplink import BrokerAddress, Listener, Uplink
from hearthwatch.services.mosquitto import Mosquitto
from tests.gateway.thin_line import LOOPBACK, dumb_server
from tests.gateway.waiting import eventually
from tests.hearthwatch.site_rig import INGEST, Guest, Identity, Site, hearthwatch, identity_of
from vitals.topics import ROOT, Leaf

# Paho leaves the socket of a TLS handshake that failed to the garbage collector.
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings(
        "ignore:unclosed <ssl:ResourceWarning",
        "ignore:Exception ignored in.*ssl:pytest.PytestUnraisableExceptionWarning",
    ),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site's broker, as deploy/mosquitto has it: nobody without a certificate."""
    running = Site(tmp_path_factory.mktemp("boxes"))
    yield running
    running.close()


@asynccontextmanager
async def linked(address: BrokerAddress, *, on_ack: Callable[[bytes], None] = lambda _: None) -> AsyncIterator[Uplink]:
    """An uplink that has begun to connect."""
    uplink = Uplink(address, Listener(on_connected=lambda: None, on_ack=on_ack), will=OFFLINE)
    uplink.start()
    try:
        yield uplink
    finally:
        await uplink.stop()


def address_of(port: int, gateway_id: str, identity: Identity | None = None, **changes: Any) -> BrokerAddress:
    plain = BrokerAddress(host=LOOPBACK, port=port, gateway_id=gateway_id, reconnect_s_max=1, **changes)
    if identity is None:
        return plain
    return replace(plain, ca_file=identity.ca, certificate_file=identity.certificate, key_file=identity.key)


async def test_a_gateway_meets_its_broker_by_certificates_and_again_after_a_restart(site: Site) -> None:
    box = await asyncio.to_thread(site.enrol, "gw-tls")
    with Guest(site, site.ingest, INGEST) as ingest:
        ingest.subscribe(f"{ROOT}/+/readings")
        async with linked(address_of(site.port, "gw-tls", identity_of(box))) as uplink:
            await eventually(lambda: uplink.connected)
            assert uplink.publish(Leaf.READINGS, b"97")
            await eventually(lambda: (f"{ROOT}/gw-tls/readings", b"97") in ingest.heard)
            await asyncio.to_thread(site.broker.restart)
            await eventually(lambda: uplink.connects == 2 and uplink.connected)


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("a certificate", "broker hangs up"),
        ("the authority", "CERTIFICATE_VERIFY_FAILED"),
        ("any TLS", "broker hangs up"),
    ],
)
async def test_a_broker_that_does_not_trust_us_or_is_not_ours_is_asked_again_and_again(
    site: Site, tmp_path: Path, lacks: str, said: str
) -> None:
    box = identity_of(await asyncio.to_thread(site.enrol, f"gw-lacks-{lacks.split()[-1].lower()}"))
    if lacks == "a certificate":
        box = replace(box, certificate=None, key=None)
    elif lacks == "the authority":
        hearthwatch("site", "init", str(tmp_path / "other"), "--broker-host", LOOPBACK, "--broker-port", "1")
        box = replace(box, ca=tmp_path / "other" / "broker" / "ca.pem")
    with capture_logs() as logs:
        async with linked(address_of(site.port, "gw-1", None if lacks == "any TLS" else box)) as uplink:
            await eventually(lambda: uplink.failed >= 3)
            assert not uplink.connected
            assert not uplink.publish(Leaf.READINGS, b"97")
    assert uplink.connects == 0
    assert re.search(said, str(logs))


@pytest.mark.parametrize("with_tls", [False, True])
async def test_a_server_that_takes_the_call_and_says_nothing_is_hung_up_on(site: Site, with_tls: bool) -> None:
    box = identity_of(await asyncio.to_thread(site.enrol, f"gw-dumb-{with_tls}".lower()))
    with capture_logs() as logs:
        async with (
            dumb_server() as (port, heard),
            linked(address_of(port, "gw-1", box if with_tls else None, keepalive_s=1)) as uplink,
        ):
            await eventually(lambda: any(heard) and bool(logs))
            assert not uplink.connected
            assert not uplink.publish(Leaf.READINGS, b"97")


async def test_a_broker_that_hangs_is_cut_off_and_met_again(own_broker: Mosquitto, gateway_id: str) -> None:
    answers: list[float] = []
    async with linked(address_of(own_broker.port, gateway_id, answer_s_max=0.3)) as uplink:
        await eventually(lambda: uplink.connected)
        assert uplink.publish(Leaf.READINGS, b"1", on_answer=answers.append)
        await eventually(lambda: len(answers) == 1)
        os.kill(own_broker.pid, signal.SIGSTOP)
        try:
            assert uplink.publish(Leaf.READINGS, b"2", on_answer=answers.append)
            await eventually(lambda: uplink.cut_if_hung() or not uplink.connected)
        finally:
            os.kill(own_broker.pid, signal.SIGCONT)
        await eventually(lambda: uplink.connects == 2 and uplink.connected)
        assert uplink.publish(Leaf.READINGS, b"3", on_answer=answers.append)
        await eventually(lambda: len(answers) == 2)
        assert not uplink._unacknowledged
        assert all(0 < answer < 30 for answer in answers)


async def test_a_topic_that_is_no_text_is_passed_over(gateway_id: str) -> None:
    heard: list[bytes] = []
    packets = publish(b"\xff\xfe", b"?"), publish(f"{ROOT}/{gateway_id}/ack".encode(), b"ok")
    async with (
        broker_that_says(*packets) as port,
        linked(address_of(port, gateway_id), on_ack=heard.append) as uplink,
    ):
        await eventually(lambda: heard == [b"ok"])
        assert uplink.connected
        assert (uplink.connects, uplink.crashes) == (1, 0)


async def test_a_bug_on_the_network_thread_is_counted_and_the_broker_met_again(gateway_id: str) -> None:
    heard: list[bytes] = []
    async with (
        broker_that_says(publish(f"{ROOT}/{gateway_id}/ack".encode(), b"ok")) as port,
        linked(address_of(port, gateway_id), on_ack=heard.append) as uplink,
    ):
        sound = uplink._hears
        uplink._hears = list(sound)  # type: ignore[assignment]
        await eventually(lambda: uplink.crashes == 1)
        assert not uplink.connected
        assert not uplink.publish(Leaf.READINGS, b"97")
        uplink._hears = sound
        await eventually(lambda: uplink.connected and heard == [b"ok"])


async def test_a_host_that_can_be_no_name_is_said_again_and_again(gateway_id: str) -> None:
    nowhere = replace(address_of(1883, gateway_id), host=f"{'x' * 64}.lan")  # a label has 63 characters at most
    with capture_logs() as logs:
        async with linked(nowhere) as uplink:
            await eventually(lambda: uplink.crashes >= 2)
    assert "too long" in str(logs)


def publish(name: bytes, payload: bytes) -> bytes:
    """A PUBLISH of QoS 0 without properties (MQTT 5, 3.3), of less than 128 bytes."""
    body = len(name).to_bytes(2) + name + bytes([0]) + payload
    return bytes([0x30, len(body)]) + body


@asynccontextmanager
async def broker_that_says(*packets: bytes) -> AsyncIterator[int]:
    """A port of a broker that takes everybody's CONNECT, then says what no sound broker would."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read(1 << 16)
            writer.write(bytes([0x20, 3, 0, 0, 0]))  # CONNACK: welcome
            await reader.read(1 << 16)
            writer.write(b"".join(packets))
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def test_slow_answers_halve_what_is_sent_at_once_and_quick_ones_let_it_grow_again() -> None:
    throttle = Throttle(rows_max=2_000)
    sizes = []
    for _ in range(8):
        throttle.sent()
        throttle.answered(ANSWER_S_MAX * 1.01)
        sizes.append(throttle.rows)
    assert sizes == [1_000, 500, 250, 125, 62, ROWS_MIN, ROWS_MIN, ROWS_MIN]
    throttle.answered(ANSWER_S_MAX * 0.9)
    assert throttle.rows == ROWS_MIN
    for _ in range(20):
        throttle.answered(ANSWER_S_MAX * 0.4)
    assert throttle.rows == 2_000


def test_so_many_messages_wait_for_the_broker_and_no_more() -> None:
    throttle = Throttle(rows_max=10)
    for _ in range(UNANSWERED_MAX):
        assert throttle.is_open
        throttle.sent()
    assert not throttle.is_open
    throttle.answered(0.1)
    assert throttle.is_open
    throttle.sent()
    throttle.restart()
    assert throttle.is_open
    throttle.answered(9.0)
    assert throttle.rows == 10
