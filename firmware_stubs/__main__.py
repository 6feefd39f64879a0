"""The command line of the stubs: `python -m firmware_stubs hub …` runs devices for a gateway to read."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from firmware_stubs.bluez.bus import NoDaemon
from firmware_stubs.bluez.command import add_bluez, add_bus
from firmware_stubs.bluez.daemon import NameTaken
from firmware_stubs.catalogue import Kind
from firmware_stubs.clock import ClinicalClock, utc_now
from firmware_stubs.county import ZONE, Scenario, ScenarioError, build, household_six, read_scenario
from firmware_stubs.courses import COURSES
from firmware_stubs.hub import Hub, open_hub
from firmware_stubs.physiology import Course
from firmware_stubs.radio import Air, quieten_bumble
from firmware_stubs.recording import Columns, RecordingError, read_recording


def _listed(names: Sequence[str], *, a_line: int) -> str:
    lines = [", ".join(names[at : at + a_line]) for at in range(0, len(names), a_line)]
    return f",\n{' ' * 38}# ".join(lines)


EPILOG = f"""\
what it does
  Devices advertise on a virtual radio. A gateway opens PATH as its Bluetooth controller
  (in Python: firmware_stubs.bleak_backend.backend("unix:PATH")). When the gateway dies, its
  links drop at once and the devices advertise again; any number of gateways may connect.

what it prints (JSON, one line each)
  {{"event": "ready", ...}}     devices are on the air and the socket listens
  {{"event": "counters", ...}}  every second with --json, and at SIGUSR2
  {{"event": "hushed", ...}}    after SIGUSR1: no device sends anything new, links stay up
  {{"event": "final", ...}}     after SIGTERM or Ctrl-C, then it ends with status 0

  Per device: notifications (indications too), confirmed (indications), readings (values sent;
  NaN and the 0 of a probe off are none), stored, and the readings of each metric.

time
  clinical now = origin + speed * (real now - origin): give the gateway the same two.
  With --speed 20 an oximeter sends 20 times a second, one per clinical second.

scenarios
  household_six, or a TOML file:
    zone = "{ZONE}"
    [[device]]
    name = "p3"
    address = "C0:00:00:00:00:03"     # random static; "00:11:22:33:44:55/P" is public
    kind = "oximeter"                 # {_listed(list(Kind), a_line=4)}
    course = "sudden_fall"            # {_listed(list(COURSES), a_line=5)}
    seed = 3
    options = {{ begins_s = 30 }}       # of that course
  More fields, and the script of a "scripted" device: firmware_stubs/catalogue.py.

example
  python -m firmware_stubs hub --socket air.sock --speed 20 --json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    quieten_bumble()
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(options.run(options))
    except (ScenarioError, RecordingError, NameTaken, NoDaemon, OSError, ValueError) as exc:
        sys.stderr.write(f"firmware_stubs: {exc}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m firmware_stubs", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    hub = commands.add_parser(
        "hub",
        help="run devices and a socket at which a gateway finds them",
        description="Run the devices of a scenario and a socket at which a gateway finds them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    hub.add_argument("--socket", type=Path, required=True, metavar="PATH", help="where gateways connect (HCI)")
    hub.add_argument("--scenario", default="household_six", metavar="NAME|FILE.toml", help="default: %(default)s")
    hub.add_argument(
        "--origin", type=datetime.fromisoformat, metavar="ISO", help="real moment from which time is stretched (now)"
    )
    hub.add_argument("--speed", type=float, default=1.0, metavar="X", help="clinical seconds per second (1)")
    hub.add_argument("--zone", metavar="IANA", help=f"what the devices' own clocks show ({ZONE})")
    hub.add_argument(
        "--courses-begin",
        choices=("listened", "ready"),
        default="listened",
        help="when an oximeter's course begins: at its first subscription (default) or when the hub is ready",
    )
    hub.add_argument("--json", action="store_true", help="print the counters every second")
    hub.add_argument(
        "--sent", type=Path, metavar="FILE", help="at the end write every value sent there, one JSON a line"
    )
    hub.add_argument("--recording", type=Path, metavar="CSV", help="play a real recording on one oximeter")
    hub.add_argument("--recording-on", metavar="NAME", help="the oximeter that plays it (the first)")
    hub.add_argument("--spo2-column", default=Columns().spo2, metavar="NAME", help='default: "%(default)s"')
    hub.add_argument("--pulse-column", default=Columns().pulse, metavar="NAME", help='default: "%(default)s"')
    hub.set_defaults(run=_run_hub)
    add_bus(commands)
    add_bluez(commands)
    return parser


async def _run_hub(options: argparse.Namespace) -> None:
    scenario = _scenario(options)
    clock = ClinicalClock(origin=options.origin or utc_now(), speed=options.speed)
    air = Air()
    devices = build(
        scenario,
        air=air,
        clock=clock,
        course_began_at=clock.now() if options.courses_begin == "ready" else None,
        recordings=_recordings(options, scenario),
    )
    async with open_hub(air=air, devices=devices, socket=options.socket) as hub:
        setting = {"socket": str(options.socket), "origin": clock.origin.isoformat(), "speed": clock.speed}
        await _report_until_stopped(
            hub, every_s=1.0 if options.json else None, setting={"zone": scenario.zone, **setting}
        )
    if options.sent is not None:
        options.sent.write_text("".join(f"{json.dumps(said)}\n" for said in hub.sent()), encoding="utf-8")
    _say("final", hub)


async def _report_until_stopped(hub: Hub, *, every_s: float | None, setting: Mapping[str, object]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGUSR1, lambda: tasks.create_task(_hush(hub)))
        loop.add_signal_handler(signal.SIGUSR2, lambda: _say("counters", hub))
        _say("ready", hub, **setting)  # only now: a signal before its handler would end the process
        watching = [tasks.create_task(hub.failed())]
        if every_s is not None:
            watching.append(tasks.create_task(_repeat(hub, every_s)))
        await stop.wait()
        for task in watching:
            task.cancel()


async def _hush(hub: Hub) -> None:
    await hub.hush()
    _say("hushed", hub)


async def _repeat(hub: Hub, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        _say("counters", hub)


def _say(event: str, hub: Hub, **setting: object) -> None:
    line = {"event": event, "at": utc_now().isoformat(), **setting}
    sys.stdout.write(json.dumps({**line, "devices": [report.document() for report in hub.reports()]}) + "\n")
    sys.stdout.flush()


def _scenario(options: argparse.Namespace) -> Scenario:
    if options.scenario == "household_six":
        return household_six(options.zone or ZONE)
    if not options.scenario.endswith(".toml"):
        raise ScenarioError(f'no scenario "{options.scenario}": household_six, or a file that ends in .toml')
    scenario = read_scenario(Path(options.scenario))
    return Scenario(devices=scenario.devices, zone=options.zone or scenario.zone)


def _recordings(options: argparse.Namespace, scenario: Scenario) -> Mapping[str, Course]:
    if options.recording is None:
        return {}
    oximeters = [device.name for device in scenario.devices if device.kind is Kind.OXIMETER]
    player = options.recording_on or next(iter(oximeters), "")
    if player not in oximeters:
        raise ScenarioError(f'no oximeter "{player}" to play the recording, only {", ".join(oximeters)}')
    columns = Columns(spo2=options.spo2_column, pulse=options.pulse_column)
    return {player: read_recording(options.recording, columns)}


if __name__ == "__main__":
    sys.exit(main())
