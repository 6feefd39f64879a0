"""The self-test of a box, in the order in which one would repair; each finding comes as soon as it is known."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from gateway.alarm.sounder import outputs_of, sound_once
from gateway.box.machine import LinuxMachine
from gateway.outbox.outbox import OutboxError, read_account
from gateway.report.running import holds_lock
from gateway.selftest import findings as box
from gateway.selftest import machine as machine
from gateway.selftest import radio_findings as radio
from gateway.selftest import uplink as uplink
from gateway.selftest import uplink_findings as way
from gateway.selftest.radio import Listening, RadioTrouble, adapters, version
from gateway.settings import GatewaySettings
from gateway.uplink.tls import TlsFileError, certificate_expiry
from vitals.finding import Finding


async def selftest(settings: GatewaySettings, *, listen_s: float, is_loud: bool) -> AsyncIterator[Finding]:
    """Try everything with settings that could be read; `is_loud`: the alarm too, as it would be heard and seen."""
    for finding in _machine(settings):
        yield finding
    async for finding in _radio(settings, listen_s):
        yield finding
    for finding in await asyncio.to_thread(_uplink, settings):
        yield finding
    outputs = outputs_of(settings.local_alarm)
    is_mute = not outputs.command and outputs.led is None
    if is_loud or is_mute:
        failures = await sound_once(outputs)
        yield box.alarm(sounds=bool(outputs.command), shines=outputs.led is not None, failures=failures)


def _machine(settings: GatewaySettings) -> list[Finding]:
    folder = settings.outbox_path.absolute().parent
    error, sync_ms = machine.keeps_data(folder)
    findings = [box.folder(str(folder), error, sync_ms=sync_ms)]
    if error is None:
        findings.append(box.space(machine.free_bytes(folder), wanted_bytes=_wanted_bytes(settings)))
    clock = LinuxMachine(settings.clock_trust)
    findings += [
        box.clock(clock.read().wall, is_synchronised=clock.is_synchronised()),
        _certificate(settings.broker_certificate_file),
        box.card(machine.cards()),
    ]
    power = box.power(machine.is_voltage_low())
    return [*findings, power] if power else findings


def _wanted_bytes(settings: GatewaySettings) -> int:
    try:
        used = read_account(settings.outbox_path)[0].used_bytes
    except OutboxError:
        used = 0
    return max(0, settings.outbox_bytes_max - used)


def _certificate(file: Path | None) -> Finding:
    now = datetime.now(UTC)
    try:
        return box.certificate(certificate_expiry(file) if file else None, None, now=now)
    except TlsFileError as exc:
        return box.certificate(None, str(exc), now=now)


async def _radio(settings: GatewaySettings, listen_s: float) -> AsyncIterator[Finding]:
    try:
        found = await adapters()
    except RadioTrouble as exc:
        for finding in (radio.bluetooth(str(exc), version=None), *radio.radio_unknown()):
            yield finding
        return
    yield radio.bluetooth(None, version=await asyncio.to_thread(version))
    yield radio.adapters(found, wanted=settings.adapters)
    powered = [each.name for each in found if each.is_powered]
    used = [name for name in powered if name in settings.adapters] or powered[:1]
    if not used:
        yield radio.radio_unknown()[1]
        return
    listening, error = Listening(), None
    try:
        await listening.listen(used, listen_s)
    except RadioTrouble as exc:
        error = str(exc)
    yield radio.air(error, heard=listening.heard, seconds=listen_s, devices=listening.devices)


def _uplink(settings: GatewaySettings) -> list[Finding]:
    address = f"{settings.broker_host}:{settings.broker_port}"
    try:
        met = uplink.meet(settings.broker_host, settings.broker_port, uplink.tls_of(settings))
    except TlsFileError as exc:
        met = way.Connection(failed_at=way.Step.LET_IN, why=str(exc), server_until=None)
    found = way.broker(address, met, is_tls=settings.broker_ca_file is not None, now=datetime.now(UTC))
    if holds_lock(settings.outbox_path):
        said = uplink.running(settings)
        return [found, way.centre_by_running(said) if said else way.centre_unsaid()]
    if met.failed_at is not None:
        return [found, way.unknown_centre()]
    reason, why = uplink.publish_status(settings)
    return [found, way.centre(reason, why=why)]
