"""A device of any make: plays notifications that were given to it and answers writes from a table."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bumble.core import UUID
from bumble.gatt import Service

from firmware_stubs.announcement import Said
from firmware_stubs.outlet import Outlet, Properties, readable, writable
from firmware_stubs.peripheral import Identity, Peripheral
from firmware_stubs.radio import Air


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What the device has, plays and answers; UUIDs as text, short or long.

    `frames` are notified one after another every `every_real_s` while somebody listens, again and again if it
    `repeats`; with `frames_to_begin_after` set, only once that was written. A write is answered by the notifications
    of the longest entry of `answers` that it begins with. A frame longer than `chunk_bytes` goes out in pieces.
    """

    service: str
    notify: str
    write: str | None = None
    is_advertised: bool = True
    more_advertised: Sequence[str] = ()
    manufacturer_data: Mapping[int, bytes] = field(default_factory=dict)
    frames: Sequence[bytes] = ()
    every_real_s: float = 0.1
    repeats: bool = True
    frames_to_begin_after: bytes | None = None
    answers: Mapping[bytes, Sequence[bytes]] = field(default_factory=dict)
    reads: Mapping[str, bytes] = field(default_factory=dict)
    chunk_bytes: int = 244
    indicates: bool = False
    is_secret: bool = False
    hangs_up: bool = False


class ScriptedDevice(Peripheral):
    """Plays a script. `written` keeps what the central wrote, in order; `sent` counts whole frames."""

    def __init__(self, *, air: Air, identity: Identity, script: Script) -> None:
        super().__init__(air=air, identity=identity)
        self.script = script
        self.written: list[bytes] = []
        self.sent = 0
        takes_writes_itself = script.write == script.notify
        speaks = Properties.INDICATE if script.indicates else Properties.NOTIFY
        writes = Properties.WRITE | Properties.WRITE_WITHOUT_RESPONSE
        self.outlet = Outlet(
            UUID(script.notify),
            speaks | writes if takes_writes_itself else speaks,
            on_write=self._on_write if takes_writes_itself else None,
            is_secret=script.is_secret,
        )
        self._may_begin = asyncio.Event()
        self._answering: set[asyncio.Task[None]] = set()
        self.on_link_lost()

    def services(self) -> list[Service]:
        characteristics = [self.outlet.characteristic]
        if self.script.write not in (None, self.script.notify):
            both = Properties.WRITE | Properties.WRITE_WITHOUT_RESPONSE
            characteristics.append(writable(UUID(self.script.write), self._on_write, properties=both))
        characteristics += [readable(UUID(uuid), value) for uuid, value in self.script.reads.items()]
        return [Service(UUID(self.script.service), characteristics)]

    def outlets(self) -> Sequence[Outlet]:
        return (self.outlet,)

    def said(self) -> Said:
        own = (self.script.service,) if self.script.is_advertised else ()
        uuids = [UUID(uuid) for uuid in (*own, *self.script.more_advertised)]
        return Said(uuids=uuids, manufacturer_data=self.script.manufacturer_data)

    async def live(self) -> None:
        while True:
            for frame in self.script.frames:
                await self._may_play()
                await self._play(frame)
                await asyncio.sleep(self.script.every_real_s)
            if self.script.hangs_up and self.script.frames:
                await self.sleep()
                await self.wake()
            elif not self.script.repeats or not self.script.frames:
                await asyncio.Event().wait()

    def on_link_lost(self) -> None:
        super().on_link_lost()
        if self.script.frames_to_begin_after is None:
            self._may_begin.set()
        else:
            self._may_begin.clear()

    async def _may_play(self) -> None:
        await self.outlet.listening.wait()
        await self._may_begin.wait()
        await self.may_speak.wait()

    async def _play(self, frame: bytes) -> None:
        send = self.indicate if self.script.indicates else self.notify
        size = self.script.chunk_bytes
        for at in range(0, len(frame), size):
            if not await send(self.outlet, frame[at : at + size]):
                return
        self.sent += 1

    def _on_write(self, value: bytes) -> None:
        self.written.append(value)
        begin = self.script.frames_to_begin_after
        if begin is not None and value.startswith(begin):
            self._may_begin.set()
        matching = [prefix for prefix in self.script.answers if value.startswith(prefix)]
        if matching:
            answer = asyncio.create_task(self._answer(self.script.answers[max(matching, key=len)]))
            self._answering.add(answer)
            answer.add_done_callback(self._answering.discard)

    async def _answer(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            await self._play(frame)
