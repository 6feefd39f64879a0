"""The self-test against real parts: a broker over TLS, bleak on rig 2, a running gateway that it must not cut off."""

import asyncio
import grp
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.command.selftest import service_groups
from gateway.report.running import holds_lock
from gateway.selftest.uplink import running
from gateway.settings import load_settings
from gateway.uplink.tls import certificate_expiry
from hearthwatch.services.ports import free_port
from tests.gateway.gateway_rig import oximeter
from tests.hearthwatch.site_rig import INGEST, Guest, Site
from tests.ingest.service import wait_until
from tests.rigs import Rig2
from vitals.topics import ROOT

pytestmark = pytest.mark.long

REPOSITORY = Path(__file__).resolve().parents[2]
NO_BUS = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus"}
ADDRESS = "C0:00:00:00:00:0A"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with its broker; use gateway ids of your own."""
    made = Site(tmp_path_factory.mktemp("boxes"))
    yield made
    made.close()


@pytest.fixture
def tried(site: Site, request: pytest.FixtureRequest) -> Callable[..., dict[str, dict[str, Any]]]:
    """Enrol a box of its own, change its settings, and try it: its findings by check."""
    gateway_id = f"st-{abs(hash(request.node.name)) % 10**9}"
    box = site.enrol(gateway_id)
    (box / "state").mkdir()

    def tried(**changes: str) -> dict[str, dict[str, Any]]:
        text = (box / "gateway.toml").read_text()
        for key, value in changes.items():
            text = "\n".join([line for line in text.splitlines() if not line.startswith(key)] + [f"{key} = {value}"])
        (box / "trial.toml").write_text(text)
        return selftest(box / "trial.toml", NO_BUS)

    return tried


def selftest(
    config: Path, environment: dict[str, str], *options: str, listen_s: float = 0.5
) -> dict[str, dict[str, Any]]:
    command = [sys.executable, "-m", "hearthwatch", "gateway", "selftest", "--json", "--config", str(config)]
    command += ["--listen-s", str(listen_s), *options]
    done = subprocess.run(
        command, env={**os.environ, **environment}, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    found = {each["check"]: each for each in json.loads(done.stdout)}
    assert done.returncode == int(any(each["verdict"] == "fail" for each in found.values()))
    return found


def verdicts(found: dict[str, dict[str, Any]], *checks: str) -> list[str]:
    return [found[check]["verdict"] for check in checks]


def test_an_enrolled_box_is_let_in_and_says_whether_the_centre_listens(
    site: Site, tried: Callable[..., dict[str, dict[str, Any]]]
) -> None:
    found = tried()
    assert verdicts(found, "settings", "folder", "space", "certificate", "broker", "centre") == [
        *["ok"] * 5,
        "warn",
    ]
    assert "nobody listens" in found["centre"]["found"]["en"]
    assert "days left" in found["certificate"]["found"]["en"]
    with Guest(site, site.ingest, INGEST) as ingest:
        ingest.subscribe(f"{ROOT}/+/status")
        assert verdicts(tried(), "centre") == ["ok"]
        wait_until(lambda: any(b"offline" in payload for _, payload in ingest.heard), "the status has arrived")


def test_bluetooth_that_is_not_there_is_named_and_the_rest_is_not_guessed(
    tried: Callable[..., dict[str, dict[str, Any]]],
) -> None:
    found = tried()
    assert verdicts(found, "bluetooth", "adapters", "air") == ["fail", "skip", "skip"]
    assert "system bus" in found["bluetooth"]["found"]["en"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"broker_host": '"nowhere.invalid"'}, "its name is not known"),
        ({"broker_port": "{free}"}, "it can not be reached"),
        ({"broker_host": '"localhost"'}, "it is not the broker of our site"),  # the certificate says 127.0.0.1
    ],
    ids=["name", "port", "another-name"],
)
def test_a_broker_that_can_not_be_met_is_named_by_the_step_that_failed(
    tried: Callable[..., dict[str, dict[str, Any]]], changes: dict[str, str], said: str
) -> None:
    found = tried(**{key: value.format(free=free_port()) for key, value in changes.items()})
    assert verdicts(found, "broker", "centre") == ["fail", "skip"]
    assert said in found["broker"]["found"]["en"]


def test_a_revoked_gateway_learns_it_here(site: Site) -> None:
    box = site.enrol("st-revoked")
    (box / "state").mkdir()
    site.revoke("st-revoked")
    found = selftest(box / "gateway.toml", NO_BUS)
    assert verdicts(found, "broker", "centre") == ["fail", "skip"]
    assert "it does not let us in" in found["broker"]["found"]["en"]


def test_a_certificate_that_is_missing_is_a_finding(tried: Callable[..., dict[str, dict[str, Any]]]) -> None:
    found = tried(broker_certificate_file='"/nowhere/gateway.pem"')
    assert verdicts(found, "certificate", "broker") == ["fail", "fail"]
    assert "/nowhere/gateway.pem" in found["certificate"]["found"]["en"]


def test_a_box_that_is_mute_is_warned_of_and_the_alarm_is_tried_only_when_asked_for(site: Site, tmp_path: Path) -> None:
    box = site.enrol("st-alarm")
    (box / "state").mkdir()
    config, led = box / "gateway.toml", tmp_path / "brightness"
    assert verdicts(selftest(config, NO_BUS), "alarm") == ["warn"]
    assert verdicts(selftest(config, NO_BUS, "--sound"), "alarm") == ["warn"]
    led.touch()
    beep = tmp_path / "beep"
    beep.write_text(f'#!/bin/sh\necho "$HEARTHWATCH_ALARM $(cat {led})" > {tmp_path}/heard\n')
    beep.chmod(0o755)
    config.write_text(f'{config.read_text()}\n[local_alarm]\ncommand = ["{beep}"]\nled = "{led}"\n')
    assert "alarm" not in selftest(config, NO_BUS)
    assert not (tmp_path / "heard").exists()
    assert verdicts(selftest(config, NO_BUS, "--sound"), "alarm") == ["ok"]
    assert (tmp_path / "heard").read_text() == "test 1\n"
    beep.unlink()
    found = selftest(config, NO_BUS, "--sound")
    assert verdicts(found, "alarm") == ["fail"]
    assert f"command: {beep}" in found["alarm"]["found"]["en"]


def test_the_groups_that_the_service_has_are_asked_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = grp.getgrall()[-1]
    systemctl = tmp_path / "systemctl"
    systemctl.write_text(f'#!/bin/sh\n[ "$2" = hearthwatch-gateway.service ] && echo {group.gr_name} no-such-group\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert service_groups() == [group.gr_gid]
    systemctl.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert service_groups() == []


def test_wrong_settings_are_the_one_finding(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('gateway_id = "gw"\nbrokr_port = 1\n')
    found = selftest(tmp_path / "gateway.toml", NO_BUS)
    assert list(found) == ["settings"]
    assert "did you mean broker_port?" in found["settings"]["found"]["en"]


def test_an_outbox_folder_that_is_not_there_is_a_finding(tried: Callable[..., dict[str, dict[str, Any]]]) -> None:
    assert verdicts(tried(outbox_path='"/proc/none/outbox.sqlite"'), "folder") == ["fail"]


def test_a_running_gateway_is_asked_and_not_cut_off(site: Site) -> None:
    box = site.enrol("st-running")
    with gateway(box / "gateway.toml") as process:
        settings = load_settings(box / "gateway.toml")
        wait_until(lambda: (said := running(settings)) and said.connects == 1, "the gateway is connected")
        found = selftest(box / "gateway.toml", NO_BUS)
        assert verdicts(found, "broker", "centre") == ["ok", "ok"]
        assert "the gateway is running; connected 1 times" in found["centre"]["found"]["en"]
        assert holds_lock(settings.outbox_path)
        with Guest(site, site.ingest, INGEST) as ingest:
            ingest.subscribe(f"{ROOT}/st-running/status")
            wait_until(lambda: ingest.heard, "its retained status")
            status = json.loads(ingest.heard[-1][1])
            assert status["uplink"]["connects"] == 1
            ends = certificate_expiry(box / "gateway.pem")
            assert status["certificate"] == {"expires_at": ends.isoformat()}
            process.kill()
            wait_until(lambda: json.loads(ingest.heard[-1][1]) == {"state": "offline"}, "its last will")
    assert not holds_lock(settings.outbox_path)


async def test_a_health_device_in_reach_is_listed_by_name_and_make(rig2: Rig2, tmp_path: Path) -> None:
    await rig2.switch_on(oximeter(rig2, ADDRESS))
    found = await on_rig2(rig2, tmp_path, listen_s=4)
    assert verdicts(found, "bluetooth", "adapters", "air") == ["ok", "ok", "ok"]
    assert ADDRESS in found["air"]["found"]["en"]
    assert "Bluetooth SIG health profiles" in found["air"]["found"]["en"]
    assert "hci0" in found["adapters"]["found"]["en"]


async def test_a_silent_house_is_a_warning(rig2: Rig2, tmp_path: Path) -> None:
    found = await on_rig2(rig2, tmp_path)
    assert verdicts(found, "bluetooth", "adapters", "air") == ["ok", "ok", "warn"]


async def test_a_bluetoothd_that_is_dead_and_an_adapter_that_is_missing_are_named(rig2: Rig2, tmp_path: Path) -> None:
    found = await on_rig2(rig2, tmp_path, adapters='["hci0", "hci7"]')
    assert verdicts(found, "adapters") == ["fail"]
    assert found["adapters"]["found"]["en"].startswith("hci7 is not there")
    await rig2.bluez.kill()
    found = await on_rig2(rig2, tmp_path)
    assert verdicts(found, "bluetooth", "adapters", "air") == ["fail", "skip", "skip"]
    assert "bluetoothd does not answer" in found["bluetooth"]["found"]["en"]


async def on_rig2(rig2: Rig2, folder: Path, *, listen_s: float = 1, adapters: str = "[]") -> dict[str, dict[str, Any]]:
    lines = ('gateway_id = "gw-1"', f"broker_port = {free_port()}", f'outbox_path = "{folder}/outbox.sqlite"')
    (folder / "gateway.toml").write_text("\n".join([*lines, f"adapters = {adapters}"]))
    bus = {"DBUS_SYSTEM_BUS_ADDRESS": rig2.bus.address}
    return await asyncio.to_thread(selftest, folder / "gateway.toml", bus, listen_s=listen_s)


@contextmanager
def gateway(config: Path) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-m", "hearthwatch", "gateway", "run", "--config", str(config)]
    with subprocess.Popen(command, env={**os.environ, **NO_BUS}, cwd=REPOSITORY, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()
