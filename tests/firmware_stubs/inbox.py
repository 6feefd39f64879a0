"""What a bleak client received: values in order, and waiting until there are enough."""

import asyncio


class Inbox:
    """A notification callback that keeps what it is given."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self._changed = asyncio.Event()

    def __call__(self, _characteristic: object, value: bytearray) -> None:
        self.values.append(bytes(value))
        self._changed.set()

    async def holds(self, count: int) -> list[bytes]:
        """Wait until at least `count` values came; return them all."""
        while len(self.values) < count:
            self._changed.clear()
            await self._changed.wait()
        return self.values
