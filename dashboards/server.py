"""The web server: uvicorn, told to end its open streams first when it is to stop."""

from collections.abc import Callable
from types import FrameType

import uvicorn


class Server(uvicorn.Server):
    """A uvicorn server that closes the event streams on the signal to stop; they would hold it up."""

    def __init__(self, config: uvicorn.Config, close_streams: Callable[[], None]) -> None:
        super().__init__(config)
        self._close_streams = close_streams

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take the signal."""
        self._close_streams()
        super().handle_exit(sig, frame)
