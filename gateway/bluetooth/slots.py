"""The links of all adapters: gives them out as `rotation` decides, and asks for them back."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.bluetooth.adapter import Adapter
from gateway.bluetooth.radio import Radio
from gateway.bluetooth.rotation import Holding, Shares, Wanting, decide

LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a session asks for: a link to its device, once that is heard again after `heard_after_s`.

    `streams` is asked anew at each look: what a device is shows only when it is heard. `on_asked_back` is called when
    another device's turn has come: the link is to be ended and released soon.
    """

    address: str
    streams: Callable[[], bool]
    heard_after_s: float
    on_asked_back: Callable[[], None]


@dataclass(slots=True)
class _Waiter:
    wish: Wish
    since_s: float
    granted: asyncio.Future[Adapter]


class Slots:
    """At most `links_max` links an adapter, for whom it may concern; construct on the event loop."""

    def __init__(self, radio: Radio, *, links_max: int, shares: Shares) -> None:
        self._radio = radio
        self.links_max = links_max
        self._shares = shares
        self._now_s = asyncio.get_running_loop().time
        self._waiting: dict[str, _Waiter] = {}
        self._held: dict[str, tuple[Wish, Adapter, Holding]] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, wish: Wish) -> Adapter:
        """Wait until the device is heard and may have a link; hold it until `release`."""
        granted: asyncio.Future[Adapter] = asyncio.get_running_loop().create_future()
        self._waiting[wish.address] = _Waiter(wish, self._now_s(), granted)
        self._look()
        try:
            return await granted
        except asyncio.CancelledError:
            self._waiting.pop(wish.address, None)
            self.release(wish.address)
            raise

    def heard(self, address: str) -> None:
        """Hear that a device advertises."""
        if address in self._waiting:
            self._look()

    def speaks(self, address: str, *, idle: bool) -> None:
        """Hear that a link stands and speaks, or has nothing more to say: from now on it may be asked back."""
        if address not in self._held:
            return
        wish, adapter, holding = self._held[address]
        since_s = self._now_s() if holding.since_s is None else holding.since_s
        if (since_s, idle) != (holding.since_s, holding.idle):
            self._held[address] = wish, adapter, replace(holding, since_s=since_s, idle=idle)
            self._look()

    def release(self, address: str) -> None:
        """Give a link back; harmless without one."""
        if self._held.pop(address, None) is not None:
            self._look()

    def links(self, adapter: Adapter) -> int:
        """Count an adapter's links, those in the making too."""
        return sum(on is adapter for _, on, _ in self._held.values())

    def is_waiting_its_turn(self, address: str) -> bool:
        """Say whether a device is heard now and waits only because all links are taken."""
        waiter = self._waiting.get(address)
        return waiter is not None and self._wanting(waiter) is not None

    def _look(self) -> None:
        """Decide anew; look again in a while if somebody that is heard still waits."""
        wanting = [wanting for waiter in self._waiting.values() if (wanting := self._wanting(waiter)) is not None]
        if not wanting:
            return
        decision = decide(
            wanting,
            [replace(holding, streams=wish.streams()) for wish, _, holding in self._held.values()],
            links_max={self._key(adapter): self.links_max for adapter in self._radio.adapters},
            shares=self._shares,
            now_s=self._now_s(),
        )
        for address, key in decision.grants:
            self._grant(address, key)
        for address in decision.preempt:
            wish, adapter, holding = self._held[address]
            self._held[address] = wish, adapter, replace(holding, leaving=True)
            wish.on_asked_back()
        if len(decision.grants) < len(wanting) and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        self._look()

    def _grant(self, address: str, key: str) -> None:
        waiter = self._waiting.pop(address)
        adapter = self._radio.adapters[int(key)]
        holding = Holding(address=address, adapter=key, streams=waiter.wish.streams(), since_s=None)
        self._held[address] = waiter.wish, adapter, holding
        if waiter.granted.done():  # cancelled in this very moment
            self._held.pop(address)
        else:
            waiter.granted.set_result(adapter)

    def _wanting(self, waiter: _Waiter) -> Wanting | None:
        sighting = self._radio.sighting(waiter.wish.address)
        fresh = sighting.fresh_on(now_s=self._now_s(), after_s=waiter.wish.heard_after_s) if sighting else []
        if not fresh:
            return None
        return Wanting(
            address=waiter.wish.address,
            streams=waiter.wish.streams(),
            since_s=waiter.since_s,
            heard={self._key(heard.adapter): heard.rssi for heard in fresh},
        )

    def _key(self, adapter: Adapter) -> str:
        """Name an adapter by its place in the settings: its own name is known only once it is there."""
        return str(self._radio.adapters.index(adapter))
