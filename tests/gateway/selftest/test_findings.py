"""What the self-test makes of facts: each state its verdict, and a way out wherever it is not well."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from gateway.selftest import findings as box
from gateway.selftest import radio_findings as radio
from gateway.selftest import uplink_findings as way
from gateway.selftest.findings import Card
from gateway.selftest.radio_findings import AdapterSeen, HealthDevice
from gateway.selftest.uplink_findings import Connection, Running, Step
from vitals.finding import Finding, Verdict

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
FINE, WARN, FAIL, SKIP = Verdict.FINE, Verdict.WARNING, Verdict.BROKEN, Verdict.UNKNOWN
MIB = 2**20


def met(failed_at: Step | None = None, *, server_days: int | None = 900) -> Connection:
    until = None if server_days is None else NOW + timedelta(days=server_days)
    return Connection(failed_at=failed_at, why="the reason", server_until=until)


def said(*, connects: int = 1, reachable: bool | None = True, waiting: int = 0) -> Running:
    return Running(age_s=3, connects=connects, stored_age_s=None, is_centre_reachable=reachable, waiting=waiting)


def ends_in(**time: float) -> Finding:
    return box.certificate(NOW + timedelta(**time), None, now=NOW)


HCI0 = AdapterSeen(name="hci0", address="00:00:00:00:00:01", is_powered=True)
HCI1 = AdapterSeen(name="hci1", address="00:00:00:00:00:02", is_powered=False)

CASES: Sequence[tuple[Finding | None, Verdict]] = [
    (box.settings(None, gateway_id="gw-1", file="/etc/x"), FINE),
    (box.alarm(sounds=False, shines=False, failures=()), WARN),
    (box.alarm(sounds=True, shines=True, failures=()), FINE),
    (box.alarm(sounds=True, shines=False, failures=("command: /bin/beep ended with 1",)), FAIL),
    (box.settings("broker_port is 0", gateway_id="", file=""), FAIL),
    (box.folder("/var/lib/x", None, sync_ms=500), FINE),
    (box.folder("/var/lib/x", None, sync_ms=501), WARN),
    (box.folder("/var/lib/x", "Read-only file system", sync_ms=0), FAIL),
    (box.space(512 * MIB, wanted_bytes=512 * MIB), FINE),
    (box.space(511 * MIB, wanted_bytes=512 * MIB), WARN),
    (box.space(127 * MIB, wanted_bytes=512 * MIB), FAIL),
    (box.clock(NOW, is_synchronised=True), FINE),
    (box.clock(NOW, is_synchronised=False), WARN),
    (ends_in(days=60), FINE),
    (ends_in(days=59), WARN),
    (ends_in(seconds=1), WARN),
    (ends_in(seconds=0), FAIL),
    (box.certificate(None, None, now=NOW), WARN),
    (box.certificate(None, "gateway.pem: No such file", now=NOW), FAIL),
    (box.card([]), FINE),
    (box.card([Card(name="mmcblk0", worn_percent=70, file_system_errors=0)]), FINE),
    (box.card([Card(name="mmcblk0", worn_percent=80, file_system_errors=0)]), WARN),
    (box.card([Card(name="mmcblk0", worn_percent=None, file_system_errors=1)]), FAIL),
    (box.power(is_low=False), FINE),
    (box.power(is_low=True), FAIL),
    (radio.bluetooth(None, version="5.66"), FINE),
    (radio.bluetooth(None, version="5.9"), WARN),
    (radio.bluetooth(None, version="5.82"), FINE),
    (radio.bluetooth(None, version=None), FINE),
    (radio.bluetooth("no bus", version=None), FAIL),
    (radio.adapters([HCI0, HCI1], wanted=()), FAIL),
    (radio.adapters([HCI0, HCI1], wanted=("hci0",)), FINE),
    (radio.adapters([HCI0, HCI1], wanted=("hci1",)), FAIL),
    (radio.adapters([HCI0], wanted=("hci0", "hci1")), FAIL),
    (radio.adapters([], wanted=()), FAIL),
    (radio.air(None, heard=0, seconds=20, devices=()), WARN),
    (radio.air(None, heard=3, seconds=20, devices=()), FINE),
    (radio.air("InProgress", heard=0, seconds=20, devices=()), FAIL),
    *((way.broker("b:1", met(step), is_tls=True, now=NOW), FAIL) for step in Step),
    (way.broker("b:1", met(server_days=None), is_tls=False, now=NOW), WARN),
    (way.broker("b:1", met(server_days=29), is_tls=True, now=NOW), WARN),
    (way.broker("b:1", met(server_days=31), is_tls=True, now=NOW), FINE),
    (way.centre("Success", why=""), FINE),
    (way.centre("No matching subscribers", why=""), WARN),
    (way.centre("Not authorized", why=""), FAIL),
    (way.centre(None, why="nothing within 10 s"), FAIL),
    (way.centre_by_running(said()), FINE),
    (way.centre_by_running(said(reachable=None)), FINE),
    (way.centre_by_running(said(connects=0)), WARN),
    (way.centre_by_running(said(reachable=False, waiting=5)), FAIL),
    (way.centre_unsaid(), WARN),
    (way.unknown_centre(), SKIP),
]


@pytest.mark.parametrize(("finding", "verdict"), CASES, ids=[str(n) for n in range(len(CASES))])
def test_each_state_has_its_verdict_and_its_words(finding: Finding | None, verdict: Verdict) -> None:
    assert finding is not None
    assert finding.verdict is verdict
    assert (finding.way_out is not None) == (verdict in (WARN, FAIL))
    for words in (finding.found, finding.way_out):
        if words is not None:
            assert words.en
            assert words.zh


def test_a_board_that_measures_no_voltage_has_nothing_to_say() -> None:
    assert box.power(None) is None


def test_health_devices_are_listed_and_no_more_than_a_dozen() -> None:
    found = [
        HealthDevice(address=f"C0:00:00:00:00:{n:02X}", name=f"Oximeter {n}", product="Nonin 3230", rssi=-50)
        for n in range(14)
    ]
    text = radio.air(None, heard=20, seconds=20, devices=found).found.en
    assert "20 devices heard; Oximeter 0 (Nonin 3230, C0:00:00:00:00:00, -50 dBm)" in text
    assert text.endswith("+2")


def test_lines_have_a_word_a_check_and_both_languages() -> None:
    assert box.as_lines([box.power(is_low=True) or way.centre_unsaid()]) == [
        "FAIL  power        the voltage is too low: Bluetooth and card fail at random under it",
        "                   电压过低：蓝牙和存储卡会随机出错",
        "                   → use the board's own power supply, and a short thick cable",
        "                   → 请使用原装电源和短而粗的电源线",
    ]


def test_the_document_has_the_same() -> None:
    assert box.as_document([way.unknown_centre()]) == [
        {
            "check": "centre",
            "verdict": "skip",
            "found": {"en": "not looked at: broker first", "zh": "未检查：请先处理 broker"},
            "way_out": None,
        }
    ]
