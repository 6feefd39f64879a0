"""The kinds of device that a scenario can name, and how each is built from its description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from firmware_stubs.beacon import Beacon
from firmware_stubs.blood_pressure_cuff import BloodPressureCuff
from firmware_stubs.bonding_thermometer import BondingThermometer
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.glucose_meter import GlucoseMeter
from firmware_stubs.heart_rate_band import HeartRateBand
from firmware_stubs.memory import History, Memory
from firmware_stubs.oximeter import Oximeter
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import Course
from firmware_stubs.radio import Air
from firmware_stubs.scale import Scale
from firmware_stubs.scripted import Script, ScriptedDevice
from firmware_stubs.spot_oximeter import SpotOximeter
from firmware_stubs.thermometer import Thermometer
from firmware_stubs.wanderer import Wanderer


class Kind(StrEnum):
    """Which device it is."""

    OXIMETER = "oximeter"
    THERMOMETER = "thermometer"
    BLOOD_PRESSURE_CUFF = "blood_pressure_cuff"
    HEART_RATE_BAND = "heart_rate_band"
    GLUCOSE_METER = "glucose_meter"
    SPOT_OXIMETER = "spot_oximeter"
    SCALE = "scale"
    BONDING_THERMOMETER = "bonding_thermometer"
    WANDERER = "wanderer"
    SCRIPTED = "scripted"
    BEACON = "beacon"


WITHOUT_COURSE = {Kind.SCRIPTED, Kind.BEACON}


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """One device to build.

    `history_*` is its memory at power-on, `clock_error_s` how wrong its clock is, `live_every_s` how often it measures
    when it measures now and then; `every_s` and `spot_check_every_s` are an oximeter's, `reboot_every_s` a wanderer's;
    `script` tells what a scripted device or a beacon plays, bytes as hex.
    """

    name: str
    address: str
    kind: Kind
    course: str = ""
    seed: int = 1
    options: Mapping[str, Any] = field(default_factory=dict)
    live_every_s: float = 60.0
    history_first_h: float = 0.0
    history_every_h: float = 4.0
    clock_error_s: float = 0.0
    every_s: float = 1.0
    spot_check_every_s: float | None = None
    reboot_every_s: float | None = None
    script: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a device is built of."""

    description: Description
    air: Air
    identity: Identity
    clock: ClinicalClock
    course: Course
    course_began_at: datetime | None
    zone: ZoneInfo

    def memory(self) -> Memory:
        """Build a memory as described."""
        return Memory(
            clock=self.clock,
            course=self.course,
            zone=self.zone,
            every_s=self.description.live_every_s,
            history=self.history(),
            clock_error=timedelta(seconds=self.description.clock_error_s),
        )

    def history(self) -> History | None:
        """Build a history as described, if there is one."""
        if not self.description.history_first_h:
            return None
        return History(
            first_ago=timedelta(hours=self.description.history_first_h),
            every=timedelta(hours=self.description.history_every_h),
        )


def assemble(parts: Parts) -> Peripheral:
    """Build a device, powered off; raise TypeError or ValueError for a script that cannot be played."""
    return _BUILDERS[parts.description.kind](parts)


def _oximeter(parts: Parts) -> Oximeter:
    return Oximeter(**_followed(parts))


def _wanderer(parts: Parts) -> Wanderer:
    device = Wanderer(**_followed(parts))
    if parts.description.reboot_every_s is not None:
        device.reboot_every_real_s = parts.clock.real_s(parts.description.reboot_every_s)
    return device


def _followed(parts: Parts) -> dict[str, Any]:
    return {
        "air": parts.air,
        "identity": parts.identity,
        "clock": parts.clock,
        "course": parts.course,
        "course_began_at": parts.course_began_at,
        "continuous_every_s": parts.description.every_s,
        "spot_check_every_s": parts.description.spot_check_every_s,
        "zone": parts.zone,
    }


def _thermometer(parts: Parts) -> Thermometer:
    return Thermometer(
        air=parts.air,
        identity=parts.identity,
        clock=parts.clock,
        course=parts.course,
        zone=parts.zone,
        history=parts.history(),
        live_every_s=parts.description.live_every_s,
    )


def _band(parts: Parts) -> HeartRateBand:
    return HeartRateBand(air=parts.air, identity=parts.identity, clock=parts.clock, course=parts.course)


def _with_memory(made: Callable[..., Peripheral]) -> Callable[[Parts], Peripheral]:
    return lambda parts: made(air=parts.air, identity=parts.identity, memory=parts.memory())


def _scripted(parts: Parts) -> ScriptedDevice:
    given = dict(parts.description.script)
    frames = tuple(bytes.fromhex(frame) for frame in given.pop("frames", ()))
    answers = {
        bytes.fromhex(asked): tuple(bytes.fromhex(frame) for frame in said)
        for asked, said in given.pop("answers", {}).items()
    }
    reads = {uuid: bytes.fromhex(value) for uuid, value in given.pop("reads", {}).items()}
    makers = {int(company, 16): bytes.fromhex(value) for company, value in given.pop("manufacturer_data", {}).items()}
    begin = given.pop("frames_to_begin_after", None)
    script = Script(
        **given,
        frames=frames,
        answers=answers,
        reads=reads,
        manufacturer_data=makers,
        frames_to_begin_after=None if begin is None else bytes.fromhex(begin),
    )
    return ScriptedDevice(air=parts.air, identity=parts.identity, script=script)


def _beacon(parts: Parts) -> Beacon:
    given = dict(parts.description.script)
    service, payloads = int(given.pop("service"), 16), [bytes.fromhex(payload) for payload in given.pop("payloads")]
    return Beacon(air=parts.air, identity=parts.identity, service=service, payloads=payloads, **given)


_BUILDERS: Mapping[Kind, Callable[[Parts], Peripheral]] = {
    Kind.OXIMETER: _oximeter,
    Kind.THERMOMETER: _thermometer,
    Kind.BLOOD_PRESSURE_CUFF: _with_memory(BloodPressureCuff),
    Kind.HEART_RATE_BAND: _band,
    Kind.GLUCOSE_METER: _with_memory(GlucoseMeter),
    Kind.SPOT_OXIMETER: _with_memory(SpotOximeter),
    Kind.SCALE: _with_memory(Scale),
    Kind.BONDING_THERMOMETER: _with_memory(BondingThermometer),
    Kind.WANDERER: _wanderer,
    Kind.SCRIPTED: _scripted,
    Kind.BEACON: _beacon,
}
