"""The devices of some households: described as values or as TOML, and built from the description."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bumble import core, hci

from firmware_stubs.catalogue import WITHOUT_COURSE, Description, Kind, Parts, assemble
from firmware_stubs.clock import ClinicalClock
from firmware_stubs.courses import COURSES
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.physiology import Course, State
from firmware_stubs.radio import Air

ZONE = "Asia/Shanghai"
MODELS = {Kind.OXIMETER: "HS-OX", Kind.THERMOMETER: "HS-TH"}


class ScenarioError(Exception):
    """A scenario that cannot be built; the message names the device and the offending value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The devices of some households and the zone that their own clocks show."""

    devices: tuple[Description, ...]
    zone: str = ZONE


def household_six(zone: str = ZONE) -> Scenario:
    """Describe six patients: two well (one moves), a sudden fall, a slow fall, a fever, a probe off."""
    oximeters = (
        ("p1", "healthy"),
        ("p2", "noise"),
        ("p3", "sudden_fall"),
        ("p4", "slow_fall"),
        ("p5", "fever"),
        ("p6", "probe_off"),
    )
    return Scenario(
        zone=zone,
        devices=tuple(
            Description(
                name=name,
                address=f"C0:00:00:00:00:{number:02X}",
                kind=Kind.THERMOMETER if course == "fever" else Kind.OXIMETER,
                course=course,
                seed=number,
                history_first_h=76.0 if course == "fever" else 0.0,
            )
            for number, (name, course) in enumerate(oximeters, start=1)
        ),
    )


def read_scenario(path: Path) -> Scenario:
    """Read a scenario from TOML: `zone`, and one `[[device]]` per device with the fields of Description."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as exc:
        raise ScenarioError(f"{path}: {exc}") from exc
    _refuse_unknown(f"{path}", content, {"zone", "device"})
    devices = tuple(_description(path, table) for table in content.get("device", []))
    if not devices:
        raise ScenarioError(f"{path}: no [[device]]")
    return Scenario(devices=devices, zone=content.get("zone", ZONE))


def build(
    scenario: Scenario,
    *,
    air: Air,
    clock: ClinicalClock,
    course_began_at: datetime | None = None,
    recordings: Mapping[str, Course] | None = None,
) -> list[Peripheral]:
    """Build the devices, powered off; `recordings` replace the courses of the devices they are named for.

    An oximeter's course begins at `course_began_at`, or when somebody first listens.
    """
    try:
        zone = ZoneInfo(scenario.zone)
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise ScenarioError(f'"{scenario.zone}" is no IANA zone') from exc
    played = recordings or {}
    for name in played.keys() - {device.name for device in scenario.devices}:
        raise ScenarioError(f'no device "{name}" to play the recording')
    return [
        _device(
            Parts(
                description=description,
                air=air,
                identity=_identity(description),
                clock=clock,
                course=played.get(description.name) or _course(description),
                course_began_at=course_began_at,
                zone=zone,
            )
        )
        for description in scenario.devices
    ]


def _device(parts: Parts) -> Peripheral:
    try:
        return assemble(parts)
    except (KeyError, TypeError, ValueError, core.BaseBumbleError) as exc:
        raise ScenarioError(f"{parts.description.name}: {exc!r}") from exc


def _identity(description: Description) -> Identity:
    try:
        hci.Address(description.address)
    except (ValueError, core.InvalidArgumentError) as exc:
        raise ScenarioError(f'{description.name}: "{description.address}" is no address') from exc
    return Identity(
        name=description.name,
        address=description.address,
        model=MODELS.get(description.kind, "HS-1"),
        serial=description.address.removesuffix("/P").replace(":", ""),
    )


def _course(description: Description) -> Course:
    if description.kind in WITHOUT_COURSE:
        return lambda _: State()
    builder = COURSES.get(description.course)
    if builder is None:
        raise ScenarioError(f'{description.name}: no course "{description.course}" among {", ".join(COURSES)}')
    try:
        return builder(seed=description.seed, **description.options)
    except TypeError as exc:
        raise ScenarioError(f"{description.name}: {exc}") from exc


def _description(path: Path, table: dict[str, Any]) -> Description:
    where = f"{path}, device {table.get('name', '?')}"
    _refuse_unknown(where, table, {f.name for f in dataclasses.fields(Description)})
    try:
        return Description(**{**table, "kind": Kind(table.get("kind", ""))})
    except (TypeError, ValueError) as exc:
        raise ScenarioError(f"{where}: {exc}") from exc


def _refuse_unknown(where: str, table: Mapping[str, Any], known: set[str]) -> None:
    for key in table.keys() - known:
        raise ScenarioError(f'{where}: unknown key "{key}", known are {", ".join(sorted(known))}')
