"""`python -m firmware_stubs bluez`: the stand-in for bluetoothd on the command line."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import os
import signal
import stat
import sys
from pathlib import Path

from firmware_stubs.bluez.bus import private_bus
from firmware_stubs.bluez.daemon import Daemon
from firmware_stubs.bluez.faults import FaultError, fault_from_json
from firmware_stubs.bluez.timings import Timings

BUS_EPILOG = """\
example
  python -m firmware_stubs bus --folder /tmp/rig
  It prints one JSON line with the bus's address, and runs until SIGTERM or Ctrl-C.
"""
EPILOG = """\
faults
  One JSON object a line on standard input, if that is a pipe, puts a trouble in force, e.g.
    {"fault": "Refusal", "member": "Connect", "trouble": "in_progress", "times": 2}
    {"fault": "Deafness", "cure": 2}      (1 rescan, 2 power cycle, 3 restart, 4 reboot; or "seconds")
  It answers with one line: {"event": "injected"} or {"event": "refused", "why": ...}.

example
  python -m firmware_stubs hub --socket /tmp/rig/air &
  python -m firmware_stubs bus --folder /tmp/rig &
  python -m firmware_stubs bluez --bus unix:path=/tmp/rig/bus --hci unix:/tmp/rig/air &
  DBUS_SYSTEM_BUS_ADDRESS=unix:path=/tmp/rig/bus hearthwatch gateway run
"""


def add_bluez(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    bluez = commands.add_parser(
        "bluez",
        help="be bluetoothd (org.bluez) on a private bus",
        description="Be bluetoothd on a private bus: BlueZ's D-Bus interface for controllers on a virtual radio.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bluez.add_argument("--bus", required=True, metavar="ADDRESS", help="of the bus, e.g. unix:path=/tmp/bus")
    bluez.add_argument(
        "--hci", action="append", required=True, metavar="TRANSPORT", help="a controller (unix:PATH); again for hci1, …"
    )
    bluez.add_argument("--storage", type=Path, metavar="FOLDER", help="keep devices and bonds here over a restart")
    for field in dataclasses.fields(Timings):
        bluez.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=float,
            default=field.default,
            metavar="SECONDS",
            help="default: %(default)s",
        )
    bluez.set_defaults(run=run_bluez)


def add_bus(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to a parser."""
    bus = commands.add_parser(
        "bus",
        help="run a private message bus",
        description="Run a dbus-daemon of our own, for a stand-in of bluetoothd and its clients.",
        epilog=BUS_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    bus.add_argument("--folder", type=Path, required=True, metavar="FOLDER", help="for its socket and configuration")
    bus.set_defaults(run=run_bus)


async def run_bus(options: argparse.Namespace) -> None:
    """Run the bus until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with private_bus(options.folder) as bus:
        _say("ready", address=bus.address)
        await stop.wait()


async def run_bluez(options: argparse.Namespace) -> None:
    """Serve until SIGTERM, or until the bus is gone; take faults from standard input."""
    timings = Timings(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Timings)})
    daemon = Daemon(transports=options.hci, timings=timings, storage=options.storage)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stop)
    listening = asyncio.create_task(_take_faults(daemon))
    try:
        await daemon.run(options.bus, on_ready=lambda: _say("ready"))
    finally:
        listening.cancel()


async def _take_faults(daemon: Daemon) -> None:
    kind = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
        return  # a terminal, a file or /dev/null: nobody speaks there
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        try:
            daemon.inject(fault_from_json(line))
        except FaultError as exc:
            _say("refused", why=str(exc))
        else:
            _say("injected")


def _say(event: str, **more: str) -> None:
    sys.stdout.write(json.dumps({"event": event, **more}) + "\n")
    sys.stdout.flush()
