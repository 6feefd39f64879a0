"""The gateway on a machine whose wall clock is set an hour ahead by SIGUSR1 and an hour back by SIGUSR2."""

import asyncio
import signal
from dataclasses import replace
from datetime import timedelta

from gateway import app
from gateway.box.machine import Clocks, ClockTrust, LinuxMachine
from gateway.commands import LogFormat, clinical_clock, configure_logging
from gateway.settings import load_settings

HOUR = timedelta(hours=1)


class JumpingMachine(LinuxMachine):
    """The real machine, its wall clock moved by what somebody has set it by."""

    def __init__(self, trust: ClockTrust) -> None:
        super().__init__(trust)
        self._set_by = timedelta()

    def set_by(self, offset: timedelta) -> None:
        """Set the wall clock so much ahead."""
        self._set_by += offset

    def read(self) -> Clocks:
        """Read both clocks."""
        clocks = super().read()
        return replace(clocks, wall=clocks.wall + self._set_by)


async def run() -> None:
    """Run on the settings of the environment until told to stop."""
    settings = load_settings(None)
    machine, stop, loop = JumpingMachine(settings.clock_trust), asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, machine.set_by, HOUR)
    loop.add_signal_handler(signal.SIGUSR2, machine.set_by, -HOUR)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await app.run(settings, clock=clinical_clock(), machine=machine, stop=stop)


if __name__ == "__main__":
    configure_logging(LogFormat.JSON)
    asyncio.run(run())
