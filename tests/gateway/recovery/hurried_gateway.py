"""The gateway on an event loop whose time runs SPEED times as fast: minutes of the ladder in seconds, all else as ever.

What waits on the loop waits for a part of its time: bounds of calls, links and connects are shorter too, so much faster
than this a busy machine may not be. Stamps are the machine's.
"""

import asyncio
import selectors
import signal

from gateway import app
from gateway.commands import LogFormat, clinical_clock, configure_logging
from gateway.settings import load_settings

SPEED = 5.0


class HurriedSelector(selectors.DefaultSelector):
    """Waits as long as the machine does while SPEED times as much of the loop's time passes."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for files."""
        return super().select(None if timeout is None else timeout / SPEED)


class HurriedLoop(asyncio.SelectorEventLoop):
    """A loop in a hurry."""

    def __init__(self) -> None:
        super().__init__(HurriedSelector())

    def time(self) -> float:
        """Read the loop's clock."""
        return super().time() * SPEED


async def run() -> None:
    """Run on the settings of the environment until told to stop."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await app.run(load_settings(None), clock=clinical_clock(), stop=stop)


if __name__ == "__main__":
    configure_logging(LogFormat.JSON)
    with asyncio.Runner(loop_factory=HurriedLoop) as runner:
        runner.run(run())
