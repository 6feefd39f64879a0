"""The gateway as the demo runs it: the product's own, on plain bleak, with the virtual radio as its adapter."""

import asyncio
import signal
import sys

from firmware_stubs.bleak_backend import backend
from firmware_stubs.radio import quieten_bumble
from gateway.app import run
from gateway.commands import LogFormat, clinical_clock, configure_logging
from gateway.settings import load_settings


async def _run(transport: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    radio = backend(transport)
    await run(
        load_settings(None),
        clock=clinical_clock(),
        scanner_class=radio.scanner,
        client_class=radio.client,
        stop=stop,
    )


if __name__ == "__main__":
    quieten_bumble()
    configure_logging(LogFormat.JSON)
    asyncio.run(_run(sys.argv[1]))
