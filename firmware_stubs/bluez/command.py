"""`python -m firmware_stubs bluez`: the stand-in for bluetoothd on the command line."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys

from firmware_stubs.bluez.daemon import serve
from firmware_stubs.bluez.timings import Timings

EPILOG = """\
example
  python -m firmware_stubs hub --socket air.sock &
  dbus-daemon --config-file=bus.conf --nofork &
  python -m firmware_stubs bluez --bus unix:path=bus.sock --hci unix:air.sock
  DBUS_SYSTEM_BUS_ADDRESS=unix:path=bus.sock hearthwatch gateway run
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
    for field in dataclasses.fields(Timings):
        bluez.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=float,
            default=field.default,
            metavar="SECONDS",
            help="default: %(default)s",
        )
    bluez.set_defaults(run=run_bluez)


async def run_bluez(options: argparse.Namespace) -> None:
    """Serve until the bus is gone."""
    timings = Timings(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Timings)})
    await serve(options.bus, transports=options.hci, timings=timings, on_ready=lambda: _say("ready"))


def _say(event: str) -> None:
    sys.stdout.write(json.dumps({"event": event}) + "\n")
    sys.stdout.flush()
