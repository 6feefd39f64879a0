"""What is heard of a device: notifications put together to frames, echoes left out, fast talkers thinned; broadcasts.

An echo is the last payload of a characteristic again within `echo_s`: BlueZ repeats a notification when a second
program is subscribed, and gives a value that was read as a notification too. A frame that a driver puts together from
several notifications may hold equal pieces one behind the other; where such a device talks fast (`keep_every_ms`),
pieces are never taken for echoes: thinning gives whole frames once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.drivers.driver import Driver, WholePayload
from gateway.gatt.decoded import DecodeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One whole frame; `kept` if it goes on to intake (answers are due to every frame)."""

    uuid: str
    payload: bytes
    kept: bool


class Hearing:
    """The ear of one link: made anew with it, in plain values; times are machine seconds."""

    def __init__(self, driver: Driver, *, echo_s: float) -> None:
        self.echoes = 0
        self.thinned = 0
        self._driver = driver
        self._framing = driver.framing()
        in_pieces = driver.keep_every_ms > 0 and not isinstance(self._framing, WholePayload)
        self._echo_s = 0.0 if in_pieces else echo_s
        self._newest: dict[str, tuple[bytes, float]] = {}
        self._kept_s: dict[tuple[str, object], float] = {}

    def take(self, uuid: str, payload: bytes, *, now_s: float) -> Sequence[Frame]:
        """Take one notification; give the frames it completes."""
        last_payload, last_s = self._newest.get(uuid, (b"", float("-inf")))
        self._newest[uuid] = (payload, now_s)
        if payload == last_payload and now_s - last_s < self._echo_s:
            self.echoes += 1
            return ()
        return [
            Frame(uuid=uuid, payload=frame, kept=self._keeps(uuid, frame, now_s))
            for frame in self._framing.feed(uuid, payload)
        ]

    def _keeps(self, uuid: str, frame: bytes, now_s: float) -> bool:
        """Keep one frame of a kind per interval; of a fast talker's frames that measure nothing (a wave), none."""
        if not self._driver.keep_every_ms:
            return True
        kind = self._kind(uuid, frame)
        is_due = (
            kind != () and now_s - self._kept_s.get((uuid, kind), float("-inf")) >= self._driver.keep_every_ms / 1000
        )
        if is_due:
            self._kept_s[uuid, kind] = now_s
        self.thinned += not is_due
        return is_due

    def _kind(self, uuid: str, frame: bytes) -> object:
        """Name what a frame measures; None for what no decoder understands."""
        try:
            return tuple(m.signal for m in self._driver.decode(uuid, frame).measurements)
        except DecodeError:
            return None


class Overheard:
    """The ear for one device's broadcasts: the same bytes count once in `again_s`, however often they are sent."""

    def __init__(self, *, again_s: float) -> None:
        self._again_s = again_s
        self._kept: dict[str, tuple[bytes, float]] = {}

    def take(self, driver: Driver, service_data: Mapping[str, bytes], *, now_s: float) -> Sequence[Frame]:
        """Take one advertisement's service data; give what is new in it."""
        return [
            Frame(uuid=uuid, payload=payload, kept=True)
            for uuid, payload in service_data.items()
            if uuid in driver.advertised and self._is_new(uuid, payload, now_s)
        ]

    def _is_new(self, uuid: str, payload: bytes, now_s: float) -> bool:
        kept_payload, kept_s = self._kept.get(uuid, (b"", float("-inf")))
        if payload == kept_payload and now_s - kept_s < self._again_s:
            return False
        self._kept[uuid] = (payload, now_s)
        return True
